/* abi.h: a function that compilers or annotated programs call. */
#ifndef SHIM_RACE_ABI_H
#define SHIM_RACE_ABI_H

#include "../shim.h"

#define ABI(ret, name, params)                                                                               \
	SHIM_EXPORT ret name params;                                                                         \
	SHIM_EXPORT ret name params

#endif
