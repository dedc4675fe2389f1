/* unwind_cfi.h: what .eh_frame says about one place in the code: where the caller's registers are.
 *
 * Memory: rows are the caller's; expressions point into the object's .eh_frame.
 * Threads: any, signal handlers too. Failure: false; nothing in the tables is trusted, and what this
 * reader does not know is a failure, never skipped. */
#ifndef SHIM_UNWIND_CFI_H
#define SHIM_UNWIND_CFI_H

#include <stdbool.h>
#include <stdint.h>

#include "unwind_memory.h"

/* DWARF's numbers of the x86-64 registers; 16 is the return address. */
enum { SHIM_RBX = 3, SHIM_RBP = 6, SHIM_RSP = 7, SHIM_R12 = 12, SHIM_RA = 16, SHIM_REGISTERS = 17 };

enum shim_rule {
	SHIM_RULE_NONE,          /* unchanged; for rsp: the CFA */
	SHIM_RULE_UNDEFINED,     /* lost; for the return address: this is the outermost frame */
	SHIM_RULE_AT_CFA,        /* in memory at CFA + value */
	SHIM_RULE_CFA,           /* is CFA + value */
	SHIM_RULE_REGISTER,      /* in register `value` */
	SHIM_RULE_AT_EXPRESSION, /* in memory where the expression says */
	SHIM_RULE_EXPRESSION     /* is what the expression says */
};

struct shim_cfi_rules {
	uint8_t rule[SHIM_REGISTERS]; /* enum shim_rule */
	uint8_t cfa_register;         /* SHIM_REGISTERS: cfa_value is an expression */
	int32_t cfa_value;
	int32_t value[SHIM_REGISTERS]; /* of an expression: its place, counted from `base` */
};

struct shim_cfi_row {
	struct shim_cfi_rules rules;
	const unsigned char *base, *end;
	bool is_signal; /* the caller was interrupted rather than made a call */
};

/* The description of a function: its FDE and CIE. */
struct shim_fde {
	uintptr_t start, size;
	const unsigned char *base, *end; /* bounds for everything in the object's tables */
	const unsigned char *cie_program, *cie_program_end;
	const unsigned char *program, *program_end;
	uint64_t code_align;
	int64_t data_align;
	uint8_t encoding;
	bool is_signal;
};

/* The FDE that covers `pc` (unwind_fde.c). */
bool shim_fde_find(uintptr_t pc, struct shim_fde *fde);
/* The row for `pc`: of a caller, its return address - 1; of interrupted code, the address. */
bool shim_cfi_find(uintptr_t pc, struct shim_cfi_row *row);

/* The value of the expression (a length and that many bytes) at base + offset (unwind_expr.c).
 * initial: what is on the expression's stack to begin with, NULL: nothing. */
bool shim_expr_value(const struct shim_cfi_row *row, int32_t offset, const uintptr_t *registers,
                     const uintptr_t *initial, struct shim_view *view, uintptr_t *value);
/* An expression that is only "register + offset", or with *deref "the word there, plus *plus". */
struct shim_expr_simple {
	unsigned reg;
	int64_t offset, plus;
	bool deref;
};
bool shim_expr_is_simple(const struct shim_cfi_row *row, int32_t offset, struct shim_expr_simple *simple);

#endif
