/* unwind.c: the walk. It begins with the registers as they are right here and goes up through our
 * own frames by our own .eh_frame: only so are the callee-saved registers of the program's frames
 * known, and a frame may be laid out from any of them.
 *
 * A frame costs one look-up of its packed row (unwind_row.h) and a few loads: the method of
 * "Reliable and Fast DWARF-Based Stack Unwinding" (Bastian, Kell, Zappa Nardelli, OOPSLA 2019), with
 * rows worked out when first needed. A frame must begin above the one before it: a walk on one
 * stack ends. Only a signal frame may lead to another stack. */
#include <dlfcn.h>
#include <string.h>

#include "unwind.h"
#include "unwind_libgcc.h"
#include "unwind_row.h"

#pragma weak _dl_find_object

enum { OWN_FRAMES_MAX = 64 };

struct walk {
	struct shim_view view;
	uintptr_t reg[SHIM_REGISTERS]; /* of the frame that is being looked at; [SHIM_RA]: its pc */
	uintptr_t slot;                /* where that pc was read */
	bool is_exact;                 /* the pc is an interrupted instruction, not a return address */
};

enum step { STEPPED, STOPPED, OUTERMOST };

static const uint32_t kept_by_calls = 1u << SHIM_RBX | 1u << SHIM_RBP | 0xfu << SHIM_R12;

static inline __attribute__((always_inline)) void registers_here(uintptr_t *reg)
{
	/* One by one: compilers make a slow `rep stos` of a memset of this size. */
	reg[0] = reg[1] = reg[2] = reg[4] = reg[5] = reg[8] = reg[9] = reg[10] = reg[11] = 0;
	uintptr_t pc;
	__asm__ volatile("movq %%rbx, 24(%1)\n\t"
	                 "movq %%rbp, 48(%1)\n\t"
	                 "movq %%rsp, 56(%1)\n\t"
	                 "movq %%r12, 96(%1)\n\t"
	                 "movq %%r13, 104(%1)\n\t"
	                 "movq %%r14, 112(%1)\n\t"
	                 "movq %%r15, 120(%1)\n\t"
	                 "leaq 0(%%rip), %0"
	                 : "=&r"(pc)
	                 : "r"(reg)
	                 : "memory");
	reg[SHIM_RA] = pc;
}

/* The registers that calls may change are known for interrupted code only. */
static void forget_scratch(struct walk *w)
{
	for (unsigned i = 0; i < SHIM_RA; i++)
		if (i != SHIM_RSP && !(kept_by_calls >> i & 1))
			w->reg[i] = 0;
}

static inline __attribute__((always_inline)) uintptr_t words_below(uint64_t row, unsigned field)
{
	return row >> (SHIM_ROW_SAVED_SHIFT + SHIM_ROW_SAVED_BITS * field) & SHIM_ROW_SAVED_MAX;
}

/* All the words that a row can speak of are known to be readable. */
static inline SHIM_READS_STACKS void restore_all(uintptr_t *reg, uintptr_t base, uint64_t row)
{
	for (unsigned i = 0; i < SHIM_ROW_SAVED_REGISTERS; i++) {
		uintptr_t words = words_below(row, i);
		if (words)
			reg[shim_row_saved[i]] = *(const volatile uintptr_t *)(base - 8 * words);
	}
}

static bool restore_each(struct walk *w, uintptr_t base, uint64_t row)
{
	for (unsigned i = 0; i < SHIM_ROW_SAVED_REGISTERS; i++) {
		uintptr_t words = words_below(row, i);
		if (words && !shim_view_load(&w->view, base - 8 * words, &w->reg[shim_row_saved[i]]))
			return false;
	}
	return true;
}

static inline bool covers(const struct shim_view *view, uintptr_t end)
{
	uintptr_t least = view->lo + 8 * SHIM_ROW_SAVED_MAX;
	return end >= least && end <= view->hi && end % 8 == 0;
}

static inline enum step step_packed(struct walk *w, uint64_t row)
{
	unsigned form = row & 3;
	if (form == SHIM_ROW_OUTERMOST)
		return OUTERMOST;
	uintptr_t *reg = w->reg;
	uintptr_t cfa =
	    reg[row >> SHIM_ROW_REGISTER_SHIFT & 15] + (uintptr_t)((int64_t)row >> SHIM_ROW_OFFSET_SHIFT) * 8;
	if (form != SHIM_ROW_CFA) {
		if (!shim_view_load(&w->view, cfa, &cfa))
			return STOPPED;
		cfa += form == SHIM_ROW_CFA_AT_8 ? 8 : 0;
	}
	if (cfa <= reg[SHIM_RSP] || !shim_view_load(&w->view, cfa - 8, &reg[SHIM_RA]))
		return STOPPED;
	uintptr_t base = row & SHIM_ROW_BELOW_RBP ? reg[SHIM_RBP] + 8 : cfa;
	if (covers(&w->view, base))
		restore_all(reg, base, row);
	else if (!restore_each(w, base, row))
		return STOPPED;
	if (w->is_exact) {
		forget_scratch(w);
		w->is_exact = false;
	}
	reg[SHIM_RSP] = cfa;
	w->slot = cfa - 8;
	return STEPPED;
}

static bool cfa_of(struct walk *w, const struct shim_cfi_row *row, uintptr_t *cfa)
{
	const struct shim_cfi_rules *rules = &row->rules;
	if (rules->cfa_register == SHIM_REGISTERS)
		return shim_expr_value(row, rules->cfa_value, w->reg, NULL, &w->view, cfa);
	*cfa = w->reg[rules->cfa_register] + (uintptr_t)(intptr_t)rules->cfa_value;
	return true;
}

/* Where a register's value lies in memory, or else the value itself. */
static bool apply(struct walk *w, const struct shim_cfi_row *row, uintptr_t cfa, unsigned i, uintptr_t *place,
                  uintptr_t *value)
{
	int32_t argument = row->rules.value[i];
	*place = 0;
	switch (row->rules.rule[i]) {
	case SHIM_RULE_NONE:
		*value = i == SHIM_RSP ? cfa : w->reg[i];
		return true;
	case SHIM_RULE_UNDEFINED:
		*value = 0;
		return true;
	case SHIM_RULE_AT_CFA:
		*place = cfa + (uintptr_t)(intptr_t)argument;
		break;
	case SHIM_RULE_CFA:
		*value = cfa + (uintptr_t)(intptr_t)argument;
		return true;
	case SHIM_RULE_REGISTER:
		*value = argument < SHIM_RA ? w->reg[argument] : 0;
		return true;
	case SHIM_RULE_AT_EXPRESSION:
		if (!shim_expr_value(row, argument, w->reg, &cfa, &w->view, place))
			return false;
		break;
	default:
		return shim_expr_value(row, argument, w->reg, &cfa, &w->view, value);
	}
	return shim_view_load(&w->view, *place, value);
}

static enum step step_full(struct walk *w, const struct shim_cfi_row *row)
{
	if (row->rules.rule[SHIM_RA] == SHIM_RULE_UNDEFINED)
		return OUTERMOST;
	uintptr_t cfa, place = 0, next[SHIM_REGISTERS];
	if (!cfa_of(w, row, &cfa))
		return STOPPED;
	for (unsigned i = 0; i < SHIM_REGISTERS; i++)
		if (!apply(w, row, cfa, i, &place, &next[i]))
			return STOPPED;
	/* The return address comes last. One in a register (glibc's vfork, interrupted) has no slot. */
	if (!place || (!row->is_signal && next[SHIM_RSP] <= w->reg[SHIM_RSP]))
		return STOPPED;
	memcpy(w->reg, next, sizeof next);
	w->slot = place;
	w->is_exact = row->is_signal;
	if (row->is_signal)
		shim_view_open(&w->view, w->reg[SHIM_RSP]);
	else
		forget_scratch(w);
	return STEPPED;
}

/* No call returns to where a function begins, with nothing described before it: makecontext and its
 * like put such an address on the stacks that they make, as the end. */
static bool ends_a_made_stack(uintptr_t return_address)
{
	struct shim_fde fde;
	return shim_fde_find(return_address, &fde) && fde.start == return_address;
}

static __attribute__((noinline)) enum step step_first(struct walk *w, uintptr_t pc)
{
	struct shim_cfi_row row;
	uint64_t packed;
	uint32_t era = atomic_load(&shim_row_era);
	if (shim_cfi_find(pc, &row)) {
		if (!shim_row_pack(&row, &packed))
			return step_full(w, &row);
	} else {
		if (w->is_exact || !ends_a_made_stack(pc + 1))
			return STOPPED;
		packed = SHIM_ROW_OUTERMOST;
	}
	shim_row_add(pc, packed, era);
	return step_packed(w, packed);
}

/* To the caller's frame. A return address of 0 is how stacks end that are not described to their
 * end. The row is that of the call, so of the byte before the return address. */
static inline enum step step(struct walk *w)
{
	uint64_t row;
	if (!w->reg[SHIM_RA])
		return OUTERMOST;
	uintptr_t pc = w->reg[SHIM_RA] - !w->is_exact;
	if (pc >> SHIM_ROW_PC_BITS)
		return STOPPED;
	enum step result = shim_row_find(pc, &row) ? step_packed(w, row) : step_first(w, pc);
	return result == STEPPED && !w->reg[SHIM_RA] ? OUTERMOST : result;
}

static bool skip_own_frames(struct walk *w, uintptr_t slot)
{
	for (unsigned i = 0; i < OWN_FRAMES_MAX && w->slot < slot; i++)
		if (step(w) != STEPPED)
			return false;
	return w->slot == slot;
}

__attribute__((noinline)) size_t shim_unwind(uintptr_t slot, struct shim_frame *out, size_t max,
                                             bool *complete)
{
	*complete = false;
	if (!max)
		return 0;
	if (!_dl_find_object)
		return shim_unwind_libgcc(slot, out, max, complete);
	struct walk w;
	w.slot = 0;
	w.is_exact = true;
	registers_here(w.reg);
	shim_view_open(&w.view, w.reg[SHIM_RSP]);
	if (!skip_own_frames(&w, slot)) {
		*out = (struct shim_frame){*(const uintptr_t *)slot, slot};
		return 1;
	}
	for (size_t count = 0;;) {
		out[count++] = (struct shim_frame){w.reg[SHIM_RA], w.slot};
		enum step result = step(&w);
		if (result == OUTERMOST)
			*complete = true;
		if (result != STEPPED || count == max)
			return count;
	}
}
