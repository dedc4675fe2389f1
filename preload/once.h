/* once.h: the end of an init routine happens before every return from its once call. */
#ifndef SHIM_ONCE_H
#define SHIM_ONCE_H

#include "block.h"
#include "shim.h"

/* Lies on the stack of the once call. */
struct shim_once_call {
	struct shim_once_call *outer;
	void *control;
	void (*routine)(void);
	bool running;          /* this thread runs the routine */
	uint32_t context;      /* of the call, while it runs */
	struct shim_block block;  /* it may have to wait for another thread's run */
};

void shim_once_begin(struct shim_once_call *call, void *control, void (*routine)(void), uintptr_t slot);
/* Runs the innermost call's routine: what the real once function is given. */
void shim_once_routine(void);
void shim_once_end(struct shim_once_call *call);
/* Stands in the function that makes a once call. The routine may throw, or be cancelled: unwinding asks a
 * frame's personality, and ours ends the call. A landing pad would need libgcc's personality, of which we have
 * a copy of our own that doesn't know the registers of the program's unwinder. */
#define SHIM_ONCE_MAY_THROW() __asm__ volatile(".cfi_personality 0x1b, shim_once_personality")

#endif
