/* textlog_processes.c: a log as one of several of a run: whose it is, what it shares, whom it forks. */
#include "textlog_run.h"

#define SHARED_DEVICE 1u /* of all text logs: their numbers are offsets in one file */

static enum dt_err read_number(struct dt_run *run, const char *word, uint32_t *number)
{
	*number = 0;
	for (const char *digit = word; *digit; digit++) {
		if (*digit < '0' || *digit > '9' || *number > 99999999)
			return dt_run_refuse(run, word, " is no number", NULL);
		*number = *number * 10 + (uint32_t)(*digit - '0');
	}
	return *number ? DT_OK : dt_run_refuse(run, word, " is no number", NULL);
}

enum dt_err dt_run_process(struct dt_run *run, const struct dt_run_words *words)
{
	uint32_t pid, start;
	enum dt_err err =
	    words->count == 3 ? DT_OK : dt_run_refuse(run, "process: a pid and a time are wanted", NULL);

	err = err ? err : read_number(run, words->at[1], &pid);
	err = err ? err : read_number(run, words->at[2], &start);
	if (!err) {
		dt_log_buffer_header(&run->log)->pid = (int32_t)pid;
		dt_log_buffer_header(&run->log)->start_ns = start;
	}
	return err;
}

enum dt_err dt_run_shared(struct dt_run *run, const struct dt_run_words *words)
{
	uint32_t place, id;
	enum dt_err err =
	    words->count == 3 ? DT_OK : dt_run_refuse(run, "shared: a name and a place are wanted", NULL);
	uint32_t object = err ? DT_NOBODY : dt_run_find_object(run, words->at[1]);

	err = err ? err : read_number(run, words->at[2], &place);
	if (!err && object == DT_NOBODY)
		err = dt_run_add_object(run, words->at[1], DT_LOCK_MUTEX, &object);
	err = err ? err : dt_run_object_id(run, object, 0, &id);
	if (err)
		return err;
	struct dt_rec_shared rec = {{.type = DT_REC_SHARED}, id, 0, SHARED_DEVICE, 1, place};
	return dt_log_buffer_add(&run->log, &rec, sizeof rec, NULL, 0);
}

static enum dt_err add_kin(struct dt_run *run, enum dt_rec_type type, uint32_t segment,
                           const struct dt_run_words *words)
{
	uint32_t pid, time;
	enum dt_err err = read_number(run, words->at[0], &pid);

	err = err ? err : read_number(run, words->at[1], &time);
	if (err)
		return err;
	struct dt_rec_kin rec = {{.type = (uint16_t)type}, segment, (int32_t)pid, time};
	return dt_log_buffer_add(&run->log, &rec, sizeof rec, NULL, 0);
}

enum dt_err dt_run_forks(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	enum dt_err err = add_kin(run, DT_REC_FORK, run->threads.at[thread].segment, words);

	return err ? err : dt_run_next_segment(run, thread, 0);
}

enum dt_err dt_run_reaps(struct dt_run *run, uint32_t thread, const struct dt_run_words *words)
{
	enum dt_err err = dt_run_next_segment(run, thread, 0);

	return err ? err : add_kin(run, DT_REC_REAP, run->threads.at[thread].segment, words);
}
