/* symbols_types.c: descends into structs, unions, base classes and arrays. Types of a broken file can
 * be circular, so every descent is bounded. */
#include "symbols_types.h"

#include <dwarf.h>
#include <string.h>

enum { DEPTH_MAX = 32, DIMENSIONS_MAX = 16 };

/* Where a lock begins nothing more is named: its insides are the C library's. */
static bool is_lock(const char *name)
{
	static const char *const names[] = {
	    "pthread_mutex_t", "pthread_rwlock_t", "pthread_spinlock_t", "pthread_cond_t", "pthread_barrier_t",
	    "sem_t", "mtx_t", "cnd_t", "once_flag", "mutex", "recursive_mutex", "timed_mutex",
	    "recursive_timed_mutex", "shared_mutex", "shared_timed_mutex", "condition_variable",
	    "condition_variable_any", "__mutex_base", "__recursive_mutex_base", "__shared_mutex_pthread"};
	for (size_t i = 0; name && i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* One step through a typedef or qualifier; false: it is none. */
static bool step(Dwarf_Die *type)
{
	Dwarf_Attribute attribute;

	switch (dwarf_tag(type)) {
	case DW_TAG_typedef:
	case DW_TAG_const_type:
	case DW_TAG_volatile_type:
	case DW_TAG_restrict_type:
	case DW_TAG_atomic_type:
		return dwarf_attr_integrate(type, DW_AT_type, &attribute) && dwarf_formref_die(&attribute, type);
	default:
		return false;
	}
}

static void peel(Dwarf_Die *type)
{
	for (int i = 0; i < DEPTH_MAX && step(type); i++)
		;
	/* A declaration only, with the definition in a type unit or elsewhere: nothing to see. */
}

bool types_of(Dwarf_Die *die, Dwarf_Die *type)
{
	Dwarf_Attribute attribute;

	if (!dwarf_attr_integrate(die, DW_AT_type, &attribute) || !dwarf_formref_die(&attribute, type))
		return false;
	peel(type);
	return true;
}

bool types_pointed_to(Dwarf_Die *type, Dwarf_Die *target)
{
	int tag = dwarf_tag(type);

	return (tag == DW_TAG_pointer_type || tag == DW_TAG_reference_type) && types_of(type, target);
}

bool types_is_struct(Dwarf_Die *type)
{
	int tag = dwarf_tag(type);

	return tag == DW_TAG_structure_type || tag == DW_TAG_class_type;
}

static uint64_t size_of(Dwarf_Die *type)
{
	Dwarf_Word size;

	return dwarf_aggregate_size(type, &size) == 0 ? size : 0;
}

/* A member's or base class's offset, when it is a constant. */
static bool location_of(Dwarf_Die *member, uint64_t *offset)
{
	Dwarf_Attribute attribute;
	Dwarf_Word value;

	*offset = 0;
	if (!dwarf_attr_integrate(member, DW_AT_data_member_location, &attribute))
		return true; /* of a union */
	if (dwarf_formudata(&attribute, &value) != 0)
		return false;
	*offset = value;
	return true;
}

/* The member that covers `offset`; its type unpeeled, since a lock is known by its typedef. */
static bool find_member(Dwarf_Die *type, uint64_t offset, Dwarf_Die *member, Dwarf_Die *member_type,
                        uint64_t *member_offset)
{
	Dwarf_Attribute attribute;

	if (dwarf_child(type, member) != 0)
		return false;
	do {
		int tag = dwarf_tag(member);
		if (tag != DW_TAG_member && tag != DW_TAG_inheritance)
			continue;
		if (dwarf_hasattr(member, DW_AT_external) || !location_of(member, member_offset) || *member_offset > offset)
			continue;
		if (!dwarf_attr_integrate(member, DW_AT_type, &attribute) || !dwarf_formref_die(&attribute, member_type))
			continue;
		uint64_t size = size_of(member_type);
		if (offset - *member_offset < size || (!size && offset == *member_offset))
			return true;
	} while (dwarf_siblingof(member, member) == 0);
	return false;
}

/* "[i][j]", and the element's type; *offset becomes the offset in the element. */
static bool print_index(FILE *out, Dwarf_Die *array, Dwarf_Die *element, uint64_t *offset)
{
	uint64_t counts[DIMENSIONS_MAX];
	Dwarf_Die dimension;
	Dwarf_Attribute attribute;
	Dwarf_Word value;
	int dimensions = 0;

	if (!dwarf_attr_integrate(array, DW_AT_type, &attribute) || !dwarf_formref_die(&attribute, element))
		return false;
	uint64_t size = size_of(element);
	if (!size || dwarf_child(array, &dimension) != 0)
		return false;
	do {
		if (dwarf_tag(&dimension) != DW_TAG_subrange_type)
			continue;
		uint64_t count = 0; /* not known: the first dimension of an incomplete array */
		if (dwarf_attr_integrate(&dimension, DW_AT_count, &attribute) && dwarf_formudata(&attribute, &value) == 0)
			count = value;
		else if (dwarf_attr_integrate(&dimension, DW_AT_upper_bound, &attribute) &&
		         dwarf_formudata(&attribute, &value) == 0)
			count = value + 1;
		counts[dimensions++] = count;
	} while (dimensions < DIMENSIONS_MAX && dwarf_siblingof(&dimension, &dimension) == 0);
	uint64_t index = *offset / size;
	for (int i = 0; i < dimensions; i++) {
		uint64_t below = 1;
		for (int j = i + 1; j < dimensions; j++)
			below *= counts[j] ? counts[j] : 1;
		fprintf(out, "[%llu]", (unsigned long long)(index / below));
		index %= below;
	}
	*offset %= size;
	return dimensions > 0;
}

/* True when `type` is a lock, under any of its typedefs' names. */
static bool peel_to_lock(Dwarf_Die *type)
{
	for (int i = 0; i < DEPTH_MAX; i++) {
		if (is_lock(dwarf_diename(type)))
			return true;
		if (!step(type))
			break;
	}
	return false;
}

void types_print_path(FILE *out, Dwarf_Die *start, uint64_t offset)
{
	Dwarf_Die type = *start, next, member;
	uint64_t member_offset;

	for (int depth = 0; depth < DEPTH_MAX && !peel_to_lock(&type); depth++) {
		switch (dwarf_tag(&type)) {
		case DW_TAG_array_type:
			if (!print_index(out, &type, &next, &offset))
				return;
			break;
		case DW_TAG_structure_type:
		case DW_TAG_class_type:
		case DW_TAG_union_type:
			if (!find_member(&type, offset, &member, &next, &member_offset))
				goto rest;
			offset -= member_offset;
			if (dwarf_tag(&member) == DW_TAG_member && dwarf_diename(&member))
				fprintf(out, ".%s", dwarf_diename(&member));
			break;
		default:
			goto rest;
		}
		type = next;
	}
	if (is_lock(dwarf_diename(&type)))
		return;
rest:
	if (offset)
		fprintf(out, "+0x%llx", (unsigned long long)offset);
}
