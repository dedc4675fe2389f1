/* unwind_expr.c: DWARF expressions in call frame information (DWARF 5, section 2.5), without jumps:
 * compilers use them for realigned stacks, glibc for signal frames and lazy binding's stubs. */
#include "unwind_cfi.h"
#include "unwind_cursor.h"

enum {
	OP_ADDR = 0x03,
	OP_DEREF = 0x06,
	OP_CONST1U = 0x08,
	OP_CONST1S = 0x09,
	OP_CONST2U = 0x0a,
	OP_CONST2S = 0x0b,
	OP_CONST4U = 0x0c,
	OP_CONST4S = 0x0d,
	OP_CONST8U = 0x0e,
	OP_CONST8S = 0x0f,
	OP_CONSTU = 0x10,
	OP_CONSTS = 0x11,
	OP_DUP = 0x12,
	OP_DROP = 0x13,
	OP_OVER = 0x14,
	OP_SWAP = 0x16,
	OP_AND = 0x1a,
	OP_MINUS = 0x1c,
	OP_MUL = 0x1e,
	OP_NEG = 0x1f,
	OP_NOT = 0x20,
	OP_OR = 0x21,
	OP_PLUS = 0x22,
	OP_PLUS_UCONST = 0x23,
	OP_SHL = 0x24,
	OP_SHR = 0x25,
	OP_SHRA = 0x26,
	OP_XOR = 0x27,
	OP_EQ = 0x29,
	OP_GE = 0x2a,
	OP_GT = 0x2b,
	OP_LE = 0x2c,
	OP_LT = 0x2d,
	OP_NE = 0x2e,
	OP_LIT0 = 0x30,
	OP_LIT31 = 0x4f,
	OP_BREG0 = 0x70,
	OP_BREG31 = 0x8f,
	OP_NOP = 0x96,
	DEPTH_MAX = 16
};

struct evaluation {
	struct shim_cursor c;
	const uintptr_t *registers;
	struct shim_view *view;
	uintptr_t stack[DEPTH_MAX];
	unsigned depth;
};

static bool open(const struct shim_cfi_row *row, int32_t offset, struct shim_cursor *c)
{
	*c = (struct shim_cursor){row->base + offset, row->end, false};
	uint64_t bytes = shim_cursor_uleb(c);
	if (c->bad || bytes > (uint64_t)(c->end - c->at))
		return false;
	c->end = c->at + bytes;
	return true;
}

static void push(struct evaluation *e, uintptr_t value)
{
	if (e->depth == DEPTH_MAX)
		e->c.bad = true;
	else
		e->stack[e->depth++] = value;
}

static uintptr_t pop(struct evaluation *e)
{
	if (e->depth)
		return e->stack[--e->depth];
	e->c.bad = true;
	return 0;
}

static void push_register(struct evaluation *e, unsigned reg)
{
	int64_t offset = shim_cursor_sleb(&e->c);
	if (reg >= SHIM_REGISTERS)
		e->c.bad = true;
	else
		push(e, e->registers[reg] + (uintptr_t)offset);
}

static void push_constant(struct evaluation *e, unsigned op)
{
	if (op == OP_ADDR) {
		push(e, shim_cursor_fixed(&e->c, 8));
	} else if (op == OP_CONSTU || op == OP_CONSTS) {
		push(e, shim_cursor_leb(&e->c, op == OP_CONSTS));
	} else {
		unsigned bytes = 1u << ((op - OP_CONST1U) / 2);
		bool is_signed = (op - OP_CONST1U) % 2;
		push(e, is_signed ? (uintptr_t)shim_cursor_fixed_signed(&e->c, bytes)
		                  : shim_cursor_fixed(&e->c, bytes));
	}
}

static void unary(struct evaluation *e, unsigned op)
{
	uintptr_t a = pop(e), word = 0;
	switch (op) {
	case OP_DEREF:
		if (!e->c.bad && !shim_view_load(e->view, a, &word))
			e->c.bad = true;
		push(e, word);
		break;
	case OP_NEG:
		push(e, -a);
		break;
	case OP_NOT:
		push(e, ~a);
		break;
	case OP_PLUS_UCONST:
		push(e, a + shim_cursor_uleb(&e->c));
		break;
	case OP_DUP:
		push(e, a);
		push(e, a);
		break;
	}
}

static uintptr_t shifted(uintptr_t value, uintptr_t bits, unsigned op)
{
	bool negative = op == OP_SHRA && (intptr_t)value < 0;
	if (bits > 63)
		return negative ? UINTPTR_MAX : 0;
	if (op == OP_SHL)
		return value << bits;
	return op == OP_SHR ? value >> bits : (uintptr_t)((intptr_t)value >> bits);
}

static uintptr_t binary(struct evaluation *e, unsigned op, uintptr_t a, uintptr_t b)
{
	intptr_t x = (intptr_t)a, y = (intptr_t)b;
	switch (op) {
	case OP_AND:
		return a & b;
	case OP_MINUS:
		return a - b;
	case OP_MUL:
		return a * b;
	case OP_OR:
		return a | b;
	case OP_PLUS:
		return a + b;
	case OP_SHL:
	case OP_SHR:
	case OP_SHRA:
		return shifted(a, b, op);
	case OP_XOR:
		return a ^ b;
	case OP_EQ:
		return x == y;
	case OP_GE:
		return x >= y;
	case OP_GT:
		return x > y;
	case OP_LE:
		return x <= y;
	case OP_LT:
		return x < y;
	case OP_NE:
		return x != y;
	default:
		e->c.bad = true;
		return 0;
	}
}

static void shuffle_or_combine(struct evaluation *e, unsigned op)
{
	uintptr_t b = pop(e), a = pop(e);
	if (op == OP_SWAP) {
		push(e, b);
		push(e, a);
	} else if (op == OP_OVER) {
		push(e, a);
		push(e, b);
		push(e, a);
	} else {
		push(e, binary(e, op, a, b));
	}
}

static void evaluate(struct evaluation *e, unsigned op)
{
	if (op >= OP_BREG0 && op <= OP_BREG31)
		push_register(e, op - OP_BREG0);
	else if (op >= OP_LIT0 && op <= OP_LIT31)
		push(e, op - OP_LIT0);
	else if (op == OP_ADDR || (op >= OP_CONST1U && op <= OP_CONSTS))
		push_constant(e, op);
	else if (op == OP_DEREF || op == OP_DUP || op == OP_NEG || op == OP_NOT || op == OP_PLUS_UCONST)
		unary(e, op);
	else if (op == OP_DROP)
		pop(e);
	else if (op != OP_NOP)
		shuffle_or_combine(e, op);
}

bool shim_expr_value(const struct shim_cfi_row *row, int32_t offset, const uintptr_t *registers,
                     const uintptr_t *initial, struct shim_view *view, uintptr_t *value)
{
	struct evaluation e;
	e.registers = registers;
	e.view = view;
	e.depth = 0;
	if (!open(row, offset, &e.c))
		return false;
	if (initial)
		push(&e, *initial);
	while (!e.c.bad && e.c.at < e.c.end)
		evaluate(&e, (unsigned)shim_cursor_fixed(&e.c, 1));
	*value = pop(&e);
	return !e.c.bad;
}

bool shim_expr_is_simple(const struct shim_cfi_row *row, int32_t offset, struct shim_expr_simple *simple)
{
	struct shim_cursor c;
	if (!open(row, offset, &c))
		return false;
	unsigned op = (unsigned)shim_cursor_fixed(&c, 1);
	*simple = (struct shim_expr_simple){.reg = op - OP_BREG0, .offset = shim_cursor_sleb(&c)};
	if (op < OP_BREG0 || op >= OP_BREG0 + SHIM_RA)
		return false;
	if (c.at < c.end) {
		simple->deref = shim_cursor_fixed(&c, 1) == OP_DEREF;
		if (!simple->deref)
			return false;
	}
	if (c.at < c.end) {
		if (shim_cursor_fixed(&c, 1) != OP_PLUS_UCONST)
			return false;
		simple->plus = (int64_t)shim_cursor_uleb(&c);
	}
	return !c.bad && c.at == c.end;
}
