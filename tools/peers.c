/* peers.c: few processes meet in one finding, so a list does. Their facts stay loaded to the end of the
 * report. */
#include "peers.h"

#include <stdlib.h>
#include <string.h>

#include "say.h"

enum { PEER_SHIFT = 25, PEERS_MAX = 120 }; /* ids in logs are below 1 << 24 */

struct peer {
	int32_t pid;
	bool adopted; /* the facts are the caller's */
	struct dt_facts *facts;
	struct resolve *resolve;
};

struct peers {
	const struct log_set *logs;
	struct symbols *symbols;
	struct arena *arena;
	struct peer *list;
	uint32_t count;
};

struct peers *peers_open(const struct log_set *logs, struct symbols *symbols, struct arena *arena)
{
	struct peers *peers = must_realloc(NULL, 1, sizeof *peers);

	*peers = (struct peers){.logs = logs, .symbols = symbols, .arena = arena};
	return peers;
}

void peers_close(struct peers *peers)
{
	if (!peers)
		return;
	for (uint32_t i = 0; i < peers->count; i++) {
		resolve_close(peers->list[i].resolve);
		if (!peers->list[i].adopted)
			dt_facts_free(peers->list[i].facts);
	}
	free(peers->list);
	free(peers);
}

/* The process as it is now: the last program that it became by exec. */
static const struct log_file *log_of(const struct peers *peers, int32_t pid)
{
	for (size_t i = peers->logs ? peers->logs->count : 0; i-- > 0;)
		if (peers->logs->files[i].pid == pid)
			return &peers->logs->files[i];
	return NULL;
}

/* Without a log the facts stay empty: names are numbers then. */
static void load(const struct peers *peers, struct peer *peer)
{
	const struct log_file *log = log_of(peers, peer->pid);

	if (log)
		logs_read(log, &peer->facts, NULL);
	else if (dt_facts_new(&peer->facts, &dt_alloc_libc) != DT_OK)
		say_out_of_memory();
}

static struct peer *add_peer(struct peers *peers, int32_t pid)
{
	if (peers->count == PEERS_MAX)
		return NULL;
	peers->list = must_realloc(peers->list, peers->count + 1, sizeof *peers->list);
	peers->list[peers->count] = (struct peer){.pid = pid};
	return &peers->list[peers->count++];
}

/* The number of a process, from 1; 0: too many. */
static uint32_t number_of(struct peers *peers, int32_t pid)
{
	for (uint32_t i = 0; i < peers->count; i++)
		if (peers->list[i].pid == pid)
			return i + 1;
	struct peer *peer = add_peer(peers, pid);
	if (!peer)
		return 0;
	load(peers, peer);
	peer->resolve = resolve_open(peer->facts, peers->symbols, peers->arena);
	return peers->count;
}

static uint32_t unique(uint32_t number, uint32_t id)
{
	return id && number ? number << PEER_SHIFT | id : id;
}

/* An id of another process; one of too many of them says nothing here. */
static uint32_t foreign_id(uint32_t number, uint32_t id)
{
	return number ? unique(number, id) : 0;
}

uint32_t peers_adopt(struct peers *peers, int32_t pid, struct dt_facts *facts, uint32_t id)
{
	for (uint32_t i = 0; i < peers->count; i++)
		if (peers->list[i].facts == facts)
			return unique(i + 1, id);
	struct peer *peer = add_peer(peers, pid);
	if (!peer)
		return 0;
	peer->adopted = true;
	peer->facts = facts;
	peer->resolve = resolve_open(facts, peers->symbols, peers->arena);
	return unique(peers->count, id);
}

static void rename_lock(struct dt_finding *finding, uint32_t from, uint32_t to)
{
	for (uint32_t i = 0; i < finding->event_count; i++) {
		struct dt_event *event = &finding->events[i];
		event->lock = event->lock == from ? to : event->lock;
		for (uint32_t h = 0; h < event->holding_count; h++)
			event->holding[h] = event->holding[h] == from ? to : event->holding[h];
	}
}

/* The first that each member of the cycle holds is what the one before it waits for. */
static void join_links(struct dt_finding *finding)
{
	uint32_t last = finding->event_count;

	while (last && finding->events[last - 1].kind != DT_EVENT_ACQUIRE)
		last--;
	if (!last)
		return;
	uint32_t wanted = finding->events[last - 1].lock;
	bool first = true;
	for (uint32_t i = 0; i < finding->event_count; i++) {
		const struct dt_event *event = &finding->events[i];
		if (event->kind == DT_EVENT_HOLD && first && wanted && event->lock != wanted) {
			uint32_t from = wanted < event->lock ? event->lock : wanted;
			rename_lock(finding, from, wanted < event->lock ? wanted : event->lock);
		}
		first = event->kind != DT_EVENT_HOLD;
		if (first)
			wanted = event->kind == DT_EVENT_ACQUIRE ? event->lock : 0;
	}
}

static void translate_event(struct peers *peers, struct dt_event *event)
{
	uint32_t number = number_of(peers, event->pid);

	event->thread = foreign_id(number, event->thread);
	event->lock = foreign_id(number, event->lock);
	event->stack = foreign_id(number, event->stack);
	event->other_thread = foreign_id(number, event->other_thread);
	event->other_lock = foreign_id(number, event->other_lock);
	for (uint32_t h = 0; h < event->holding_count; h++)
		event->holding[h] = foreign_id(number, event->holding[h]);
}

const struct dt_finding *peers_translate(struct peers *peers, const struct dt_finding *found)
{
	bool foreign = false;

	for (uint32_t i = 0; i < found->event_count; i++)
		foreign |= found->events[i].pid != 0;
	if (!foreign)
		return found;
	struct dt_finding *copy = arena_alloc(peers->arena, sizeof *copy);
	*copy = *found;
	copy->events = arena_alloc(peers->arena, found->event_count * sizeof *copy->events);
	for (uint32_t i = 0; i < found->event_count; i++) {
		struct dt_event *event = &copy->events[i];
		*event = found->events[i];
		event->holding = arena_alloc(peers->arena, event->holding_count * sizeof *event->holding);
		for (uint32_t h = 0; h < event->holding_count; h++)
			event->holding[h] = found->events[i].holding[h];
		if (event->pid)
			translate_event(peers, event);
	}
	join_links(copy);
	return copy;
}

struct resolve *peers_resolve(struct peers *peers, struct resolve *own, uint32_t *id)
{
	uint32_t number = *id >> PEER_SHIFT;

	if (!number || number > peers->count)
		return own;
	*id &= ((uint32_t)1 << PEER_SHIFT) - 1;
	return peers->list[number - 1].resolve;
}

int32_t peers_pid(const struct peers *peers, uint32_t id)
{
	uint32_t number = id >> PEER_SHIFT;

	return number && number <= peers->count ? peers->list[number - 1].pid : 0;
}
