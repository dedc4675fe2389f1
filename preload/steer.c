/* steer.c: which stacks are at the plan's places, and the pause.
 *
 * A stack's id is compared with the plan once and remembered. Who pauses is seen by the others on the board,
 * in a state of its own: it is no blocked thread yet, and no deadlock is ever reported of it; but who asks
 * whether going on would close a cycle counts it as one. Looking is by short sleeps: it costs nothing where
 * threads are held back anyway, and needs no word from others that a killed or crashed one might not give. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <detect/steer_format.h>

#include "block.h"
#include "options.h"
#include "say.h"
#include "steer.h"
#include "tables.h"
#include "waitfor.h"

enum {
	REMEMBERED = 1 << 14, /* stacks; a power of two */
	LOOK_NS = 300000,     /* between two looks around */
	ALONE_LOOKS = 5,      /* so many looks in a row at which nobody else ran: a pause is for nothing */
	PATH_BYTES = 4096,
	EXE_BYTES = 4096
};

bool shim_steering;

static const struct dt_steer *plan;
static const struct dt_steer_frame *frames;
/* By stack id: the id, and a bit for each edge that the stack is the place to want and to hold at. */
static struct remembered {
	_Atomic uint64_t id, places;
} remembered[REMEMBERED];
static _Atomic uint32_t passes[DT_STEER_EDGES];
/* While any thread is held back: how many are, since when, and how long that lasted before. */
static _Atomic uint32_t held_back;
static _Atomic uint64_t since_ns, spent_ns;

#pragma weak _dl_find_object

static bool is_place(const struct dt_steer *p, const struct dt_steer_place *place)
{
	return place->count && place->count <= DT_STEER_FRAMES && place->first <= p->frame_count &&
	       place->count <= p->frame_count - place->first;
}

static bool is_plan(const struct dt_steer *p, uint64_t bytes)
{
	if (bytes < sizeof *p || memcmp(p->magic, DT_STEER_MAGIC, sizeof p->magic) ||
	    p->version != DT_STEER_VERSION || p->bytes != bytes || !p->edge_count ||
	    p->edge_count > DT_STEER_EDGES || (bytes - sizeof *p) / sizeof *frames != p->frame_count)
		return false;
	for (uint32_t i = 0; i < p->edge_count; i++)
		if (!is_place(p, &p->edges[i].hold) || !is_place(p, &p->edges[i].want))
			return false;
	return true;
}

static const struct dt_steer *map_plan(const char *path)
{
	int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *p = MAP_FAILED;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0)
		p = (void *)syscall(SYS_mmap, NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, (off_t)0);
	syscall(SYS_close, fd);
	if (p == MAP_FAILED)
		return NULL;
	if (is_plan(p, (uint64_t)status.st_size))
		return p;
	syscall(SYS_munmap, p, status.st_size);
	return NULL;
}

void shim_steer_open(void)
{
	const char *path = shim_options.steer;

	if (!path || !*path)
		return;
	plan = map_plan(path);
	if (!plan) {
		shim_say("steer: no plan can be read there: no thread is held back");
		return;
	}
	frames = (const struct dt_steer_frame *)(plan + 1);
	shim_steering = true;
}

void shim_steer_forked(void)
{
	atomic_store(&held_back, 0);
}

/* The program itself has no name in the loader's list. */
static uint64_t module_of(const struct link_map *map)
{
	char path[EXE_BYTES];

	if (map->l_name && *map->l_name)
		return dt_steer_module(map->l_name);
	long n = syscall(SYS_readlink, "/proc/self/exe", path, sizeof path - 1);
	if (n <= 0)
		return 0;
	path[n] = '\0';
	return dt_steer_module(path);
}

static struct dt_steer_frame frame_of(uintptr_t pc)
{
	struct dl_find_object found;

	if (!_dl_find_object || _dl_find_object((void *)pc, &found) != 0)
		return (struct dt_steer_frame){0, 0};
	return (struct dt_steer_frame){module_of(found.dlfo_link_map), pc - found.dlfo_link_map->l_addr};
}

static bool is_at(const struct dt_steer_frame *stack, size_t count, const struct dt_steer_place *place)
{
	if (count < place->count)
		return false;
	for (uint32_t i = 0; i < place->count; i++) {
		const struct dt_steer_frame *f = &frames[place->first + i];
		if (f->module != stack[i].module || (f->module && f->offset != stack[i].offset))
			return false;
	}
	return true;
}

/* A bit for each edge: wanting in the lower half, holding in the upper. */
static uint64_t compare(uint32_t id)
{
	const uintptr_t *pcs;
	size_t count = shim_stack_pcs(id, &pcs);
	struct dt_steer_frame stack[DT_STEER_FRAMES];
	uint64_t places = 0;

	if (count > DT_STEER_FRAMES)
		count = DT_STEER_FRAMES;
	for (size_t i = 0; i < count; i++)
		stack[i] = frame_of(pcs[i]);
	for (uint32_t i = 0; i < plan->edge_count; i++) {
		if (is_at(stack, count, &plan->edges[i].want))
			places |= (uint64_t)1 << i;
		if (is_at(stack, count, &plan->edges[i].hold))
			places |= (uint64_t)1 << (DT_STEER_EDGES + i);
	}
	return places;
}

/* The id is written behind what it stands for, and cleared before: who finds it twice has read the right one.
 */
static uint64_t places_of(uint32_t id)
{
	struct remembered *r = &remembered[id & (REMEMBERED - 1)];
	uint64_t found = atomic_load(&r->id), places = atomic_load(&r->places);

	if (!id)
		return 0;
	if (found == id && atomic_load(&r->id) == id)
		return places;
	places = compare(id);
	if (found != UINT64_MAX && atomic_compare_exchange_strong(&r->id, &found, UINT64_MAX)) {
		atomic_store(&r->places, places);
		atomic_store(&r->id, id);
	}
	return places;
}

/* The edges that the calling thread is about to make: it wants at their place, and holds what it took at
 * theirs. */
static uint32_t edges_of(struct shim_thread *t, uint32_t index)
{
	uint32_t wanted = (uint32_t)places_of(t->held[index].context), held = 0;

	for (uint32_t i = 0; wanted && i < index; i++)
		if (t->held[i].how & SHIM_HOW_HELD)
			held |= (uint32_t)(places_of(t->held[i].context) >> DT_STEER_EDGES);
	return wanted & held;
}

/* At one of these edges threads are to be held back by now. */
static bool pause_is_due(uint32_t edges)
{
	bool due = false;

	for (; edges; edges &= edges - 1) {
		uint32_t i = (uint32_t)__builtin_ctz(edges);
		if (atomic_fetch_add(&passes[i], 1) >= plan->edges[i].skip && plan->edges[i].pause)
			due = true;
	}
	return due;
}

/* Threads that are held back at the same time spend it together. */
static void begin_pause(uint64_t now_ns)
{
	if (atomic_fetch_add(&held_back, 1) == 0)
		atomic_store(&since_ns, now_ns);
}

static void end_pause(uint64_t now_ns)
{
	uint64_t since = atomic_load(&since_ns);

	if (atomic_fetch_sub(&held_back, 1) == 1 && now_ns > since)
		atomic_fetch_add(&spent_ns, now_ns - since);
}

static uint64_t budget_left(uint64_t now_ns)
{
	uint64_t since = atomic_load(&held_back) ? atomic_load(&since_ns) : now_ns,
	         spent = atomic_load(&spent_ns);

	spent += now_ns > since ? now_ns - since : 0;
	return spent < plan->budget_ns ? plan->budget_ns - spent : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool other_processes(int32_t pid)
{
	for (uint32_t i = 0; i < DT_BOARD_GROUPS; i++) {
		int32_t owner = __atomic_load_n(&shim_board->owners[i], __ATOMIC_RELAXED);
		if (owner && owner != pid)
			return true;
	}
	return false;
}

/* Another thread of this process can go on: it runs, or waits for no longer than some time. Of a lock that is
 * shared with other processes, one of those may. */
static bool somebody_runs(const struct dt_board_slot *own)
{
	int32_t pid = own->pid;
	struct dt_board_slot copy;

	if (own->key && other_processes(pid))
		return true;
	for (uint32_t at = 0; (at = shim_board_next_of(pid, at)) < DT_BOARD_SLOTS; at++) {
		const struct dt_board_slot *slot = &shim_board->slots[at];
		if (slot == own)
			continue;
		if (!shim_board_read(slot, &copy) || copy.state == DT_BOARD_RUNNING ||
		    (copy.state == DT_BOARD_BLOCKED && copy.wait != DT_WAIT_FOREVER))
			return true;
	}
	return false;
}

static void pause_until(const struct dt_board_slot *slot, uint64_t end_ns)
{
	const struct timespec look = {0, LOOK_NS};
	uint32_t alone = 0;

	while (shim_now_ns() < end_ns && !shim_waitfor_would_close(slot)) {
		alone = somebody_runs(slot) ? 0 : alone + 1;
		if (alone == ALONE_LOOKS)
			return;
		syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &look, NULL);
	}
}

void shim_steer(struct shim_thread *t, uint32_t index)
{
	const struct shim_held *e = &t->held[index];

	if (t->busy || t->handler || (e->how & (SHIM_HOW_TRY | SHIM_HOW_TIMED)))
		return;
	int saved = errno;
	t->busy = 1;
	bool turn = pause_is_due(edges_of(t, index));
	t->busy = 0;
	uint64_t now_ns = turn ? shim_now_ns() : 0, left_ns = turn ? budget_left(now_ns) : 0;
	struct shim_block block;
	if (left_ns && shim_block_hold_back(&block, t, SHIM_WAIT_FOR(t, e->lock, e->how, index))) {
		begin_pause(now_ns);
		pause_until(block.slot, now_ns + least(plan->pause_ns, left_ns));
		end_pause(shim_now_ns());
		shim_block_let_go(&block);
	}
	errno = saved;
}
