/* symbols_types.c: descends into structs, unions, base classes and arrays. Types of a broken file can be
 * circular and their numbers anything, so every descent is bounded and every product checked. */
#include "symbols_types.h"

#include <dwarf.h>
#include <string.h>

#include "symbols_names.h"
#include "symbols_walk.h"

enum { DEPTH_MAX = 32, DIMENSIONS_MAX = 16, LOCK_SEARCH_STEPS = 256 };

/* Where a lock begins nothing more is named: its insides are the C library's. */
static bool is_lock(const char *name)
{
	static const char *const names[] = {"pthread_mutex_t",
	                                    "pthread_rwlock_t",
	                                    "pthread_spinlock_t",
	                                    "pthread_cond_t",
	                                    "pthread_barrier_t",
	                                    "pthread_once_t",
	                                    "sem_t",
	                                    "mtx_t",
	                                    "cnd_t",
	                                    "once_flag",
	                                    "mutex",
	                                    "recursive_mutex",
	                                    "timed_mutex",
	                                    "recursive_timed_mutex",
	                                    "shared_mutex",
	                                    "shared_timed_mutex",
	                                    "condition_variable",
	                                    "condition_variable_any",
	                                    "__mutex_base",
	                                    "__recursive_mutex_base",
	                                    "__shared_mutex_pthread"};
	for (size_t i = 0; name && i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

bool types_step(Dwarf_Die *type)
{
	switch (dwarf_tag(type)) {
	case DW_TAG_typedef:
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		return walk_reference(type, DW_AT_type, type);
	default:
		return false;
	}
}

/* With -fdebug-types-section the definition is in a type unit of its own, and what refers to it may have
 * nothing but the signature. */
void types_complete(struct sym_file *file, Dwarf_Die *type)
{
	Dwarf_Die defined;

	if ((walk_is_struct(type) || dwarf_tag(type) == DW_TAG_union_type) &&
	    (walk_reference(type, DW_AT_signature, &defined) ||
	     (dwarf_hasattr(type, DW_AT_declaration) && symbols_find_struct(file, type, &defined))))
		*type = defined;
}

/* To the definition behind typedefs, qualifiers and declarations. True on the way: it is a lock. */
static bool peel(struct sym_file *file, Dwarf_Die *type)
{
	for (int i = 0; i < DEPTH_MAX; i++) {
		types_complete(file, type);
		if (is_lock(dwarf_diename(type)))
			return true;
		if (!types_step(type))
			break;
	}
	return false;
}

/* A dimension's count of elements; 0: not known, as in an incomplete array. */
static uint64_t elements_of(Dwarf_Die *dimension)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	if (dwarf_attr_integrate(dimension, DW_AT_count, &attribute))
		return dwarf_formudata(&attribute, &value) == 0 ? value : 0;
	if (dwarf_attr_integrate(dimension, DW_AT_upper_bound, &attribute) &&
	    dwarf_formudata(&attribute, &value) == 0)
		return value + 1;
	return 0;
}

struct array {
	Dwarf_Die element;
	uint64_t element_bytes, counts[DIMENSIONS_MAX];
	int dimensions;
};

static uint64_t size_of(struct sym_file *file, const Dwarf_Die *type, int depth);

static bool read_array(struct sym_file *file, Dwarf_Die *type, struct array *array, int depth)
{
	struct walk walk = {0};
	Dwarf_Die dimension;

	memset(array, 0, sizeof(*array));
	if (!walk_reference(type, DW_AT_type, &array->element) || !walk_child(&walk, type, &dimension))
		return false;
	do {
		if (dwarf_tag(&dimension) == DW_TAG_subrange_type)
			array->counts[array->dimensions++] = elements_of(&dimension);
	} while (array->dimensions < DIMENSIONS_MAX && walk_next(&walk, &dimension));
	array->element_bytes = size_of(file, &array->element, depth + 1);
	return array->element_bytes && array->dimensions;
}

static uint64_t size_of(struct sym_file *file, const Dwarf_Die *start, int depth)
{
	Dwarf_Die type = *start;
	Dwarf_Word size;
	struct array array;

	if (depth > DEPTH_MAX)
		return 0;
	if (dwarf_aggregate_size(&type, &size) == 0)
		return size;
	peel(file, &type);
	if (dwarf_tag(&type) != DW_TAG_array_type)
		return dwarf_aggregate_size(&type, &size) == 0 ? size : 0;
	if (!read_array(file, &type, &array, depth))
		return 0;
	size = array.element_bytes;
	for (int i = 0; i < array.dimensions; i++)
		if (__builtin_mul_overflow(size, array.counts[i], &size))
			return 0;
	return size;
}

uint64_t types_size(struct sym_file *file, const Dwarf_Die *type)
{
	return size_of(file, type, 0);
}

/* A member's or base class's offset, when it is a constant. */
static bool location_of(Dwarf_Die *member, uint64_t *offset)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	*offset = 0;
	if (dwarf_attr_integrate(member, DW_AT_data_bit_offset, &attribute)) {
		if (dwarf_formudata(&attribute, &value) != 0)
			return false;
		*offset = value / 8;
		return true;
	}
	if (!dwarf_attr_integrate(member, DW_AT_data_member_location, &attribute))
		return true; /* of a union */
	if (dwarf_formudata(&attribute, &value) != 0)
		return false;
	*offset = value;
	return true;
}

struct member {
	Dwarf_Die die, type; /* the type unpeeled, since a lock is known by its typedef */
	uint64_t offset;     /* of the place asked for, in the member */
};

static bool covers(struct sym_file *file, Dwarf_Die *die, uint64_t offset, struct member *member)
{
	int tag = dwarf_tag(die);
	uint64_t begin, size;

	if ((tag != DW_TAG_member && tag != DW_TAG_inheritance) || dwarf_hasattr(die, DW_AT_external) ||
	    !location_of(die, &begin) || begin > offset || !walk_reference(die, DW_AT_type, &member->type))
		return false;
	member->die = *die;
	member->offset = offset - begin;
	size = types_size(file, &member->type);
	return member->offset < size || (!size && !member->offset);
}

static bool find_member(struct sym_file *file, Dwarf_Die *type, uint64_t offset, struct member *found,
                        unsigned *steps);

/* Does a lock begin at that offset? *steps bounds the search. */
static bool leads_to_lock(struct sym_file *file, struct member member, unsigned *steps)
{
	struct array array;
	struct member below;

	while (*steps) {
		--*steps;
		if (peel(file, &member.type) && member.offset == 0)
			return true;
		switch (dwarf_tag(&member.type)) {
		case DW_TAG_array_type:
			if (!read_array(file, &member.type, &array, 0))
				return false;
			member.type = array.element;
			member.offset %= array.element_bytes;
			break;
		case DW_TAG_structure_type:
		case DW_TAG_class_type:
		case DW_TAG_union_type:
			if (!find_member(file, &member.type, member.offset, &below, steps))
				return false;
			member = below;
			break;
		default:
			return false;
		}
	}
	return false;
}

/* The member that covers `offset`. Of several, as in a union: one that leads to a lock, else the first. */
static bool find_member(struct sym_file *file, Dwarf_Die *type, uint64_t offset, struct member *found,
                        unsigned *steps)
{
	struct walk walk = {0};
	struct member member;
	Dwarf_Die die;
	bool any = false;

	if (!walk_child(&walk, type, &die))
		return false;
	do {
		if (!covers(file, &die, offset, &member))
			continue;
		if (leads_to_lock(file, member, steps)) {
			*found = member;
			return true;
		}
		if (!any)
			*found = member;
		any = true;
	} while (walk_next(&walk, &die));
	return any;
}

/* "[i][j]"; false: the numbers can't be right. */
static bool print_index(FILE *out, const struct array *array, uint64_t index)
{
	uint64_t below[DIMENSIONS_MAX];

	below[array->dimensions - 1] = 1;
	for (int i = array->dimensions - 1; i > 0; i--)
		if (!array->counts[i] || __builtin_mul_overflow(below[i], array->counts[i], &below[i - 1]))
			return false;
	for (int i = 0; i < array->dimensions; i++) {
		fprintf(out, "[%llu]", (unsigned long long)(index / below[i]));
		index %= below[i];
	}
	return true;
}

/* Base classes and anonymous members go without saying, and so does what std::array is made of. */
static const char *member_name(struct member *member)
{
	const char *name = dwarf_tag(&member->die) == DW_TAG_member ? dwarf_diename(&member->die) : NULL;

	return name && strcmp(name, "_M_elems") != 0 && strcmp(name, "__elems_") != 0 ? name : NULL;
}

void types_print_path(FILE *out, struct sym_file *file, const Dwarf_Die *start, uint64_t offset)
{
	Dwarf_Die type = *start;
	struct array array;
	struct member member;

	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		unsigned steps = LOCK_SEARCH_STEPS;
		if (peel(file, &type) && offset == 0)
			break;
		int tag = dwarf_tag(&type);
		if (tag == DW_TAG_array_type) {
			if (!read_array(file, &type, &array, 0) ||
			    !print_index(out, &array, offset / array.element_bytes))
				break;
			offset %= array.element_bytes;
			type = array.element;
		} else if (walk_is_struct(&type) || tag == DW_TAG_union_type) {
			if (!find_member(file, &type, offset, &member, &steps))
				break;
			const char *name = member_name(&member);
			if (name)
				fprintf(out, ".%s", name);
			offset = member.offset;
			type = member.type;
		} else {
			break;
		}
	}
	if (offset)
		fprintf(out, "+0x%llx", (unsigned long long)offset);
}

bool types_has_room(struct sym_file *file, const Dwarf_Die *start, uint64_t offset, uint64_t bytes)
{
	Dwarf_Die type = *start;
	struct member member;
	unsigned steps = LOCK_SEARCH_STEPS;

	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		if (peel(file, &type))
			return true;
		if (!walk_is_struct(&type)) {
			uint64_t size = types_size(file, &type);
			return !size || (offset < size && size - offset >= bytes);
		}
		if (!find_member(file, &type, offset, &member, &steps))
			return true;
		offset = member.offset;
		type = member.type;
	}
	return true;
}
