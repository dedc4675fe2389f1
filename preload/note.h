/* note.h: the slow path's parts that others need (note.c). Threads: the calling thread's own state. */
#ifndef SHIM_NOTE_H
#define SHIM_NOTE_H

#include <stdbool.h>

#include "shim.h"

/* Drop entries of locks that another thread has released meanwhile. */
void shim_drop_foreign_released(struct shim_thread *t);
/* Another thread than the one that holds it has released it, and the holder has not dropped it yet. */
bool shim_released_elsewhere(const void *lock);
/* It tried, and its unlock failed. */
void shim_not_released_elsewhere(const void *lock);
/* The id of the acquisition that is an entry of somebody's held stack, above `parent`; 0: none is recorded. One that came
 * to lie there when another was released is recorded now, which its thread does only when it takes more. */
uint32_t shim_note_find(uint32_t parent, const struct shim_held *e);
/* One more unit is wanted of a semaphore that the thread holds a unit of already. */
void shim_note_unit(struct shim_thread *t, void *sem, uint32_t how, uintptr_t slot);
/* The calling thread's entry of a lock that it holds; NULL: none. */
struct shim_held *shim_held_find(struct shim_thread *t, const void *lock);

#endif
