/* unwind_row.c: packing rows, and the table: four ways, each slot a small sequence lock that nobody
 * ever waits for: a writer that finds a slot being written leaves, a reader that sees one change
 * misses. A writer that never comes back (killed, or forked away from) costs its slot. */
#include "unwind.h"
#include "unwind_row.h"

struct shim_row_slot shim_rows[1 << SHIM_ROW_SETS_SHIFT][SHIM_ROW_WAYS] __attribute__((aligned(64)));
_Atomic uint32_t shim_row_era;

static bool pack_offset(int64_t bytes, uint64_t *packed)
{
	int64_t limit = (int64_t)1 << (64 - SHIM_ROW_OFFSET_SHIFT - 1), words = bytes / 8;
	if (bytes % 8 || words < -limit || words >= limit)
		return false;
	*packed |= (uint64_t)words << SHIM_ROW_OFFSET_SHIFT;
	return true;
}

static bool pack_cfa(const struct shim_cfi_row *row, uint64_t *packed)
{
	const struct shim_cfi_rules *rules = &row->rules;
	if (rules->cfa_register < SHIM_RA) {
		*packed |= SHIM_ROW_CFA | (uint64_t)rules->cfa_register << SHIM_ROW_REGISTER_SHIFT;
		return pack_offset(rules->cfa_value, packed);
	}
	struct shim_expr_simple simple;
	if (!shim_expr_is_simple(row, rules->cfa_value, &simple) || !simple.deref ||
	    (simple.plus != 0 && simple.plus != 8))
		return false;
	*packed |= simple.plus ? SHIM_ROW_CFA_AT_8 : SHIM_ROW_CFA_AT;
	*packed |= (uint64_t)simple.reg << SHIM_ROW_REGISTER_SHIFT;
	return pack_offset(simple.offset, packed);
}

/* How many words below the base a register is saved; 0: it isn't. The base is the CFA, or rbp + 8:
 * which one is found by the first register that is saved, and the others must agree. */
static bool pack_saved(const struct shim_cfi_row *row, unsigned field, int *below_rbp, uint64_t *packed)
{
	const struct shim_cfi_rules *rules = &row->rules;
	uint8_t reg = shim_row_saved[field];
	int64_t bytes;
	struct shim_expr_simple simple;
	if (rules->rule[reg] == SHIM_RULE_NONE)
		return true;
	bool expression = rules->rule[reg] == SHIM_RULE_AT_EXPRESSION;
	if (rules->rule[reg] == SHIM_RULE_AT_CFA)
		bytes = -(int64_t)rules->value[reg];
	else if (expression && shim_expr_is_simple(row, rules->value[reg], &simple) &&
	         simple.reg == SHIM_RBP && !simple.deref)
		bytes = 8 - simple.offset;
	else
		return false;
	if (*below_rbp < 0)
		*below_rbp = expression;
	if (*below_rbp != expression || bytes % 8 || bytes < 8 || bytes > 8 * SHIM_ROW_SAVED_MAX)
		return false;
	*packed |= (uint64_t)(bytes / 8) << (SHIM_ROW_SAVED_SHIFT + SHIM_ROW_SAVED_BITS * field);
	return true;
}

bool shim_row_pack(const struct shim_cfi_row *row, uint64_t *packed)
{
	const struct shim_cfi_rules *rules = &row->rules;
	*packed = SHIM_ROW_OUTERMOST;
	if (row->is_signal)
		return false;
	if (rules->rule[SHIM_RA] == SHIM_RULE_UNDEFINED)
		return true;
	*packed = 0;
	if (rules->rule[SHIM_RA] != SHIM_RULE_AT_CFA || rules->value[SHIM_RA] != -8 ||
	    rules->rule[SHIM_RSP] != SHIM_RULE_NONE || !pack_cfa(row, packed))
		return false;
	int below_rbp = -1;
	for (unsigned field = 0; field < SHIM_ROW_SAVED_REGISTERS; field++)
		if (!pack_saved(row, field, &below_rbp, packed))
			return false;
	if (below_rbp == 1)
		*packed |= SHIM_ROW_BELOW_RBP;
	return true;
}

static uint64_t next_key(uint64_t key, uintptr_t pc)
{
	return ((key >> (SHIM_ROW_PC_BITS + 1)) + 1) << (SHIM_ROW_PC_BITS + 1) | pc;
}

static void clear(struct shim_row_slot *slot, uint64_t key)
{
	atomic_compare_exchange_strong(&slot->key, &key, next_key(key, 0));
}

/* The free slot of the set, or else the one whose turn it is: their counts move it on. NULL: the
 * row is there already, or will be. */
static struct shim_row_slot *choose(struct shim_row_slot *set, uintptr_t pc, uint64_t *key)
{
	uint64_t keys[SHIM_ROW_WAYS], written = 0;
	unsigned way = SHIM_ROW_WAYS;
	for (unsigned i = SHIM_ROW_WAYS; i-- > 0;) {
		keys[i] = atomic_load_explicit(&set[i].key, memory_order_relaxed);
		written += keys[i] >> (SHIM_ROW_PC_BITS + 1);
		if ((keys[i] & SHIM_ROW_KEY_MASK & ~SHIM_ROW_BUSY) == pc)
			return NULL;
		if (!(keys[i] & SHIM_ROW_KEY_MASK))
			way = i;
	}
	if (way == SHIM_ROW_WAYS)
		way = written % SHIM_ROW_WAYS;
	*key = keys[way];
	return keys[way] & SHIM_ROW_BUSY ? NULL : &set[way];
}

void shim_row_add(uintptr_t pc, uint64_t packed, uint32_t era)
{
	uint64_t key;
	struct shim_row_slot *slot = choose(shim_row_set(pc), pc, &key);
	if (!slot || !atomic_compare_exchange_strong(&slot->key, &key, next_key(key, pc | SHIM_ROW_BUSY)))
		return;
	/* Who sees the new row sees after it that the key has changed. */
	atomic_store_explicit(&slot->row, packed, memory_order_release);
	uint64_t published = next_key(key, pc);
	atomic_store(&slot->key, published);
	/* Its code was being unloaded meanwhile, and shim_row_forget may have passed by here before. */
	if (atomic_load(&shim_row_era) != era)
		clear(slot, published);
}

void shim_row_forget(uintptr_t start, uintptr_t end)
{
	atomic_fetch_add(&shim_row_era, 1);
	struct shim_row_slot *slot = shim_rows[0];
	for (size_t i = 0; i < sizeof shim_rows / sizeof *slot; i++) {
		uint64_t key = atomic_load(&slot[i].key);
		uintptr_t pc = key & SHIM_ROW_KEY_MASK;
		if (pc && pc - start < end - start)
			clear(&slot[i], key);
	}
}

void shim_unwind_forget(uintptr_t start, uintptr_t end)
{
	shim_row_forget(start, end);
}
