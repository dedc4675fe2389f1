/* timers.h: will a timer of the process run a handler of the program?
 *
 * Such a handler may end a wait in ways that no lock shows: by a jump out of it, or by a call that it makes.
 * Signals from other processes may too, but those nobody in this process has arranged for.
 *
 * Threads: any; system calls only. Failure: a timer of timer_create is not known where /proc is not there. */
#ifndef SHIM_TIMERS_H
#define SHIM_TIMERS_H

#include <stdbool.h>

/* alarm or setitimer is running down in real time (the others stand still while all threads wait), or there
 * is a timer of timer_create, which does not tell whether it is set. */
bool shim_timer_may_run_handler(void);

#endif
