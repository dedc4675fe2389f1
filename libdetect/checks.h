/* checks.h: the rows of dt_checks, one file each. */
#ifndef DT_CHECKS_H
#define DT_CHECKS_H

#include <detect/check.h>

extern const struct dt_check dt_check_lock_order;
extern const struct dt_check dt_check_wait_while_holding;
extern const struct dt_check dt_check_incidents;
extern const struct dt_check dt_check_signals;
extern const struct dt_check dt_check_races;
extern const struct dt_check dt_check_states;

#endif
