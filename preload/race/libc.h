/* libc.h: calls of libc that read or write the program's memory on its behalf.
 *
 *   CALL(size_t, strlen, (const char *s))
 *   {
 *           size_t length = strlen(s);
 *           READS(s, length + 1);
 *           return length;
 *   }
 *
 * The linker is told (--wrap, for each row of <detect/libc_calls.def>) to take __wrap_strlen for what a
 * program or library that it links calls strlen, so the calls of libraries that are linked otherwise stay
 * what they are.
 * __wrap_strlen jumps to strlen itself, whatever that is, until the engine starts, which then turns the jumps
 * to those that are libc's here. What a program defines under such a name, perhaps with other parameters, or
 * another library in front of libc, is so taken as ever, and a program without the engine does not notice.
 *
 * What the call reads is told before it, what it writes after it, when it is known how much that is. The
 * order that descriptors give is the hooks' (hook_io.c), which the real functions of these are; only what
 * libc reads and writes by itself is told here. For a thread that is not followed, READS and WRITES are a
 * branch and their arguments are not evaluated. errno is the program's. Nothing is held across the real call,
 * which may be cancelled, jump or never return. */
#ifndef SHIM_RACE_LIBC_H
#define SHIM_RACE_LIBC_H

#include "abi.h"
#include "engine.h"
#include "race.h"

typedef void race_libc_fn(void);

struct race_libc_call {
	const char *name;
	race_libc_fn **target; /* at first the real one */
	race_libc_fn *wrapper;
};

/* The section holds pointers, as that of the hooks does. r11 is nobody's at a call; rax counts vector
 * arguments. */
#define CALL(ret, name, params)                                                                              \
	static ret libc_##name params;                                                                       \
	__typeof__(&libc_##name) race_libc_target_##name = name;                                             \
	static const struct race_libc_call libc_call_##name = {                                              \
	    #name, (race_libc_fn **)(void *)&race_libc_target_##name, (race_libc_fn *)libc_##name};          \
	static const struct race_libc_call *const libc_row_##name                                            \
	    __attribute__((used, section("race_libc"))) = &libc_call_##name;                                 \
	__asm__(".pushsection .text\n"                                                                       \
	        ".globl __wrap_" #name "\n"                                                                  \
	        ".type __wrap_" #name ", @function\n"                                                        \
	        "__wrap_" #name ":\n"                                                                        \
	        ".cfi_startproc\n"                                                                           \
	        "endbr64\n"                                                                                  \
	        "movq race_libc_target_" #name "(%rip), %r11\n"                                              \
	        "jmp *%r11\n"                                                                                \
	        ".cfi_endproc\n"                                                                             \
	        ".size __wrap_" #name ", . - __wrap_" #name "\n"                                             \
	        ".popsection");                                                                              \
	static ret libc_##name params

/* The engine starts: calls of what is libc's are watched from now on. */
void race_libc_open(void);

#define PC ((uintptr_t)__builtin_return_address(0))

/* The wrapper with this return address was called by code that is watched. */
bool race_libc_is_programs(uintptr_t pc);

/* Told as made at pc, the return address of the wrapper. */
void race_libc_access(const void *start, size_t bytes, uint32_t kind, uintptr_t pc);
/* A string with its end. */
void race_libc_string(const char *s, uintptr_t pc);

static inline bool race_watched(void)
{
	return SHIM_LIKELY(race_hot.stamp) || (SHIM_UNLIKELY(shim_race_on) && race_attach());
}

#define READS(start, bytes) (race_watched() ? race_libc_access(start, bytes, RACE_READ, PC) : (void)0)
#define WRITES(start, bytes) (race_watched() ? race_libc_access(start, bytes, 0, PC) : (void)0)
#define READS_STRING(s) (race_watched() ? race_libc_string(s, PC) : (void)0)

/* A wrapper whose real function calls the program back is a call on the stack of what the program does there.
 */
void race_libc_enter(uintptr_t pc);
void race_libc_leave(void);

#endif
