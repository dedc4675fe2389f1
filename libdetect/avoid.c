/* avoid.c: Dijkstra's banker's algorithm in Habermann's form ("Prevention of System Deadlocks", CACM 12(7),
 * 1969): let any thread end whose need is covered, take back what it holds, and go on; safe when all have
 * ended. The order does not matter, since what is free only grows.
 *
 * Instead of looking at all threads again and again, a thread that lacks something is parked at the first
 * resource it lacks, and looked at again when units of that come back. */
#include <detect/avoid.h>

void dt_avoid_enter(struct dt_avoid *a, uint32_t thread)
{
	__atomic_fetch_or(&a->active[thread / 64], (uint64_t)1 << thread % 64, __ATOMIC_SEQ_CST);
}

void dt_avoid_leave(struct dt_avoid *a, uint32_t thread)
{
	__atomic_fetch_and(&a->active[thread / 64], ~((uint64_t)1 << thread % 64), __ATOMIC_SEQ_CST);
}

static void touch(struct dt_avoid *a, uint32_t resource)
{
	if (a->stamp[resource] == a->round)
		return;
	a->stamp[resource] = a->round;
	a->available[resource] = a->total[resource];
	a->parked[resource] = 0;
}

/* What is held shrinks behind our back: it is read once. */
static uint32_t take_stock(struct dt_avoid *a)
{
	uint32_t count = 0;

	for (uint32_t word = 0; word < DT_AVOID_THREADS / 64; word++) {
		uint64_t bits = __atomic_load_n(&a->active[word], __ATOMIC_ACQUIRE);
		for (; bits; bits &= bits - 1) {
			uint32_t t = word * 64 + (uint32_t)__builtin_ctzll(bits);
			struct dt_avoid_thread *thread = &a->threads[t];
			a->work[count++] = (uint16_t)t;
			for (uint32_t i = 0; i < thread->count; i++) {
				uint32_t held = __atomic_load_n(&thread->needs[i].held, __ATOMIC_ACQUIRE);
				touch(a, thread->needs[i].resource);
				a->held[t][i] = held;
				a->available[thread->needs[i].resource] -= held;
			}
		}
	}
	return count;
}

/* The first resource that the thread may lack; 0: none, it can end. */
static uint32_t lacks(const struct dt_avoid *a, uint32_t t)
{
	const struct dt_avoid_thread *thread = &a->threads[t];

	for (uint32_t i = 0; i < thread->count; i++) {
		const struct dt_avoid_need *need = &thread->needs[i];
		int64_t more = (int64_t)need->claim - (int64_t)a->held[t][i];
		if (more > 0 && more > a->available[need->resource])
			return need->resource;
	}
	return 0;
}

static void park(struct dt_avoid *a, uint32_t t, uint32_t resource)
{
	a->next[t] = a->parked[resource];
	a->parked[resource] = (uint16_t)(t + 1);
}

/* The thread ends: those parked at what it held are to be looked at again. */
static uint32_t end_thread(struct dt_avoid *a, uint32_t t, uint32_t count)
{
	const struct dt_avoid_thread *thread = &a->threads[t];

	for (uint32_t i = 0; i < thread->count; i++) {
		uint32_t resource = thread->needs[i].resource;
		if (!a->held[t][i])
			continue;
		a->available[resource] += a->held[t][i];
		for (uint32_t at = a->parked[resource]; at; at = a->next[at - 1])
			a->work[count++] = (uint16_t)(at - 1);
		a->parked[resource] = 0;
	}
	return count;
}

/* How many of these threads can't end. */
static uint32_t count_stuck(struct dt_avoid *a, uint32_t count)
{
	uint32_t left = count;

	while (count) {
		uint32_t t = a->work[--count], lacking = lacks(a, t);
		if (lacking) {
			park(a, t, lacking);
		} else {
			count = end_thread(a, t, count);
			left--;
		}
	}
	return left;
}

void dt_avoid_stock(struct dt_avoid *a)
{
	a->round++;
	take_stock(a);
}

uint32_t dt_avoid_stuck(struct dt_avoid *a)
{
	a->round++;
	return count_stuck(a, take_stock(a));
}

bool dt_avoid_grant(struct dt_avoid *a, uint32_t thread, uint32_t at, uint32_t units)
{
	struct dt_avoid_need *need = &a->threads[thread].needs[at];

	__atomic_fetch_add(&need->held, units, __ATOMIC_SEQ_CST);
	a->round++;
	uint32_t count = take_stock(a);
	bool is_free = a->available[need->resource] >= 0;
	uint32_t stuck = is_free ? count_stuck(a, count) : 0;
	if (is_free && !stuck)
		return true;
	__atomic_fetch_sub(&need->held, units, __ATOMIC_SEQ_CST);
	if (!is_free || stuck > dt_avoid_stuck(a))
		return false;
	__atomic_fetch_add(&need->held, units, __ATOMIC_SEQ_CST);
	return true;
}
