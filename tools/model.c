/* The few look-ups that every emitter needs. */
#include "model.h"

#include <string.h>

const struct report_lock *model_lock(const struct report_finding *finding, uint32_t id)
{
	for (size_t i = 0; i < finding->lock_count; i++)
		if (finding->locks[i].id == id)
			return &finding->locks[i];
	return NULL;
}

const struct report_thread *model_thread(const struct report_finding *finding, uint32_t id)
{
	for (size_t i = 0; i < finding->thread_count; i++)
		if (finding->threads[i].id == id)
			return &finding->threads[i];
	return NULL;
}

const char *model_level_name(enum dt_level level)
{
	static const char *const names[] = {
	    [DT_LEVEL_NOTE] = "note", [DT_LEVEL_WARNING] = "warning", [DT_LEVEL_ERROR] = "error"};

	return names[level];
}

const char *model_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

const char *model_program(const struct dt_process *process)
{
	if (process->exe && *process->exe)
		return model_base_name(process->exe);
	return process->argv && process->argc && *process->argv[0] ? model_base_name(process->argv[0])
	                                                           : "unknown program";
}
