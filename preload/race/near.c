/* near.c: a program's own copy of the calls for accesses, in libdetect_race.a, which detect cc and
 * detect::race link before the shim. Hidden: each library of the program has its own. Why: near.h. */
#include "near.h"

extern __thread race_cell race_stamp_here RACE_NEAR(hot) __attribute__((tls_model("initial-exec")));

#define ABI(ret, name, params)                                                                               \
	__attribute__((visibility("hidden"))) ret name params;                                               \
	ret name params

static inline __attribute__((always_inline)) void race_access_one(uintptr_t address, unsigned bytes_log,
                                                                  uint32_t kind, uintptr_t pc)
{
	race_access_stamped(race_stamp_here, address, bytes_log, kind, pc);
}

#include "calls.h"
