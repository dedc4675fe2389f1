/* unwind_cfi.c: run a function's call frame program (DWARF 5, section 6.4) up to one address. */
#include "unwind_cfi.h"
#include "unwind_cursor.h"

enum {
	CFA_ADVANCE_LOC = 0x40,
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_NOP = 0x00,
	CFA_ADVANCE_LOC1 = 0x02,
	CFA_ADVANCE_LOC2 = 0x03,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET_EXTENDED = 0x2f,
	REMEMBERED_MAX = 4 /* compilers nest these one deep */
};

struct machine {
	const struct shim_fde *fde;
	struct shim_cfi_row *row;
	struct shim_cfi_rules initial, remembered[REMEMBERED_MAX];
	struct shim_cursor c;
	uintptr_t pc;
	unsigned remembered_count;
};

static int32_t fits(struct machine *m, int64_t value)
{
	if (value != (int32_t)value)
		m->c.bad = true;
	return (int32_t)value;
}

static int32_t factored(struct machine *m, int64_t value)
{
	int64_t product;
	if (__builtin_mul_overflow(value, m->fde->data_align, &product))
		m->c.bad = true;
	return fits(m, m->c.bad ? 0 : product);
}

static int32_t unsigned_factored(struct machine *m)
{
	return factored(m, (int64_t)shim_cursor_uleb(&m->c));
}

static int32_t signed_factored(struct machine *m)
{
	return factored(m, shim_cursor_sleb(&m->c));
}

/* Rules for registers beyond the general ones are read over: vector registers don't lead outwards. */
static void set(struct machine *m, uint64_t reg, enum shim_rule rule, int32_t value)
{
	if (reg >= SHIM_REGISTERS)
		return;
	m->row->rules.rule[reg] = (uint8_t)rule;
	m->row->rules.value[reg] = value;
}

static void restore(struct machine *m, uint64_t reg)
{
	if (reg < SHIM_REGISTERS)
		set(m, reg, m->initial.rule[reg], m->initial.value[reg]);
}

static void set_cfa_register(struct machine *m, uint64_t reg)
{
	if (reg >= SHIM_RA)
		m->c.bad = true;
	m->row->rules.cfa_register = (uint8_t)reg;
}

static void set_cfa_offset(struct machine *m, int32_t offset)
{
	/* Only with a register before it; otherwise the value is an expression's place. */
	if (m->row->rules.cfa_register >= SHIM_RA)
		m->c.bad = true;
	m->row->rules.cfa_value = offset;
}

static int32_t expression(struct machine *m)
{
	int32_t place = fits(m, m->c.at - m->row->base);
	shim_cursor_skip(&m->c, shim_cursor_uleb(&m->c));
	return place;
}

static void remember(struct machine *m)
{
	if (m->remembered_count == REMEMBERED_MAX)
		m->c.bad = true;
	else
		m->remembered[m->remembered_count++] = m->row->rules;
}

static void recall(struct machine *m)
{
	if (m->remembered_count == 0)
		m->c.bad = true;
	else
		m->row->rules = m->remembered[--m->remembered_count];
}

static void define_cfa(struct machine *m, unsigned op)
{
	struct shim_cursor *c = &m->c;
	switch (op) {
	case CFA_DEF_CFA:
		set_cfa_register(m, shim_cursor_uleb(c));
		set_cfa_offset(m, fits(m, (int64_t)shim_cursor_uleb(c)));
		break;
	case CFA_DEF_CFA_SF:
		set_cfa_register(m, shim_cursor_uleb(c));
		set_cfa_offset(m, signed_factored(m));
		break;
	case CFA_DEF_CFA_REGISTER:
		if (m->row->rules.cfa_register >= SHIM_RA)
			c->bad = true;
		set_cfa_register(m, shim_cursor_uleb(c));
		break;
	case CFA_DEF_CFA_OFFSET:
		set_cfa_offset(m, fits(m, (int64_t)shim_cursor_uleb(c)));
		break;
	case CFA_DEF_CFA_OFFSET_SF:
		set_cfa_offset(m, signed_factored(m));
		break;
	case CFA_DEF_CFA_EXPRESSION:
		m->row->rules.cfa_register = SHIM_REGISTERS;
		m->row->rules.cfa_value = expression(m);
		break;
	default:
		c->bad = true;
	}
}

static void define_register(struct machine *m, unsigned op)
{
	uint64_t reg = shim_cursor_uleb(&m->c);
	switch (op) {
	case CFA_OFFSET_EXTENDED:
		set(m, reg, SHIM_RULE_AT_CFA, unsigned_factored(m));
		break;
	case CFA_OFFSET_EXTENDED_SF:
		set(m, reg, SHIM_RULE_AT_CFA, signed_factored(m));
		break;
	case CFA_GNU_NEGATIVE_OFFSET_EXTENDED:
		set(m, reg, SHIM_RULE_AT_CFA, factored(m, -(int64_t)(shim_cursor_uleb(&m->c) & INT64_MAX)));
		break;
	case CFA_VAL_OFFSET:
		set(m, reg, SHIM_RULE_CFA, unsigned_factored(m));
		break;
	case CFA_VAL_OFFSET_SF:
		set(m, reg, SHIM_RULE_CFA, signed_factored(m));
		break;
	case CFA_RESTORE_EXTENDED:
		restore(m, reg);
		break;
	case CFA_UNDEFINED:
		set(m, reg, SHIM_RULE_UNDEFINED, 0);
		break;
	case CFA_SAME_VALUE:
		set(m, reg, SHIM_RULE_NONE, 0);
		break;
	case CFA_REGISTER:
		set(m, reg, SHIM_RULE_REGISTER, (int32_t)(shim_cursor_uleb(&m->c) & INT32_MAX));
		break;
	case CFA_EXPRESSION:
		set(m, reg, SHIM_RULE_AT_EXPRESSION, expression(m));
		break;
	case CFA_VAL_EXPRESSION:
		set(m, reg, SHIM_RULE_EXPRESSION, expression(m));
		break;
	default:
		m->c.bad = true;
	}
}

static void extended(struct machine *m, unsigned op)
{
	switch (op) {
	case CFA_NOP:
		break;
	case CFA_REMEMBER_STATE:
		remember(m);
		break;
	case CFA_RESTORE_STATE:
		recall(m);
		break;
	case CFA_GNU_ARGS_SIZE:
		/* What a landing pad must pop; the CFA is given apart from it. */
		shim_cursor_uleb(&m->c);
		break;
	case CFA_DEF_CFA:
	case CFA_DEF_CFA_SF:
	case CFA_DEF_CFA_REGISTER:
	case CFA_DEF_CFA_OFFSET:
	case CFA_DEF_CFA_OFFSET_SF:
	case CFA_DEF_CFA_EXPRESSION:
		define_cfa(m, op);
		break;
	default:
		define_register(m, op);
	}
}

static uint64_t advance_of(struct machine *m, unsigned op)
{
	switch (op) {
	case CFA_ADVANCE_LOC1:
		return shim_cursor_fixed(&m->c, 1);
	case CFA_ADVANCE_LOC2:
		return shim_cursor_fixed(&m->c, 2);
	case CFA_ADVANCE_LOC4:
		return shim_cursor_fixed(&m->c, 4);
	default:
		return (op & 0xc0) == CFA_ADVANCE_LOC ? op & 0x3f : 0;
	}
}

/* Run until the program ends or speaks of what comes after `pc`. */
static bool run(struct machine *m, const unsigned char *program, const unsigned char *end, uintptr_t pc)
{
	m->c = (struct shim_cursor){program, end, false};
	while (!m->c.bad && m->c.at < m->c.end) {
		unsigned op = (unsigned)shim_cursor_fixed(&m->c, 1);
		uint64_t reg = op & 0x3f;
		switch (op & 0xc0) {
		case CFA_OFFSET:
			set(m, reg, SHIM_RULE_AT_CFA, unsigned_factored(m));
			continue;
		case CFA_RESTORE:
			restore(m, reg);
			continue;
		}
		bool advances =
		    (op & 0xc0) == CFA_ADVANCE_LOC || (op >= CFA_ADVANCE_LOC1 && op <= CFA_ADVANCE_LOC4);
		if (!advances) {
			extended(m, op);
			continue;
		}
		m->pc += advance_of(m, op) * m->fde->code_align;
		if (m->pc > pc)
			break;
	}
	return !m->c.bad;
}

bool shim_cfi_find(uintptr_t pc, struct shim_cfi_row *row)
{
	struct shim_fde fde;
	if (!shim_fde_find(pc, &fde))
		return false;
	*row = (struct shim_cfi_row){.base = fde.base, .end = fde.end, .is_signal = fde.is_signal};
	/* No CFA is defined yet: what needs one before it fails. */
	row->rules.cfa_register = SHIM_RA;
	struct machine m;
	m.fde = &fde;
	m.row = row;
	m.pc = fde.start;
	m.remembered_count = 0;
	memset(&m.initial, 0, sizeof m.initial);
	if (!run(&m, fde.cie_program, fde.cie_program_end, UINTPTR_MAX))
		return false;
	m.initial = row->rules;
	m.pc = fde.start;
	return run(&m, fde.program, fde.program_end, pc) && row->rules.cfa_register != SHIM_RA;
}
