/* symbols_data.h: a file's index of variables. Internal to symbols*.c. */
#ifndef SYMBOLS_DATA_H
#define SYMBOLS_DATA_H

#include "symbols_file.h"

void data_free(struct sym_file *file);

#endif
