/* peers.h: findings between processes: whose log an id belongs to, and one id for what several call by theirs.
 *
 * Events of another process than the finding's have its pid and ids of its log. peers_translate gives each such
 * process a number and puts it above the id's bits, so that ids are unique within the finding; what the member
 * before waits for and what the next one holds is one lock.
 * Memory: the peers' own, and the report's arena. Threads: one. A process whose log is not there keeps its
 * numbers: "mutex 7" of "thread 1". */
#ifndef TOOLS_PEERS_H
#define TOOLS_PEERS_H

#include "logs.h"
#include "resolve.h"

struct peers;

/* `logs` may be NULL and outlives the peers. */
struct peers *peers_open(const struct log_set *logs, struct symbols *symbols, struct arena *arena);
void peers_close(struct peers *peers);

/* A finding with the same events and unique ids; the same finding when all is one process's. */
const struct dt_finding *peers_translate(struct peers *peers, const struct dt_finding *found);

/* A unique id for one of another process whose facts the caller has, and keeps longer than the peers. */
uint32_t peers_adopt(struct peers *peers, int32_t pid, struct dt_facts *facts, uint32_t id);

/* The resolver of a translated id, and the id in its log. `own` is the finding's process's. */
struct resolve *peers_resolve(struct peers *peers, struct resolve *own, uint32_t *id);
/* The process that a translated id belongs to; 0: the finding's own. */
int32_t peers_pid(const struct peers *peers, uint32_t id);

#endif
