/* GRWLock is a pthread_rwlock_t and GRecMutex a pthread_mutex_t (GMutex is a futex, and not seen): a cache that is read,
 * and a log that is written when a look-up misses; to rotate the log, the cache is written. */
#include <glib.h>

#include "crossed.h"

static GRWLock cache;
static GRecMutex journal;

static void take(int which, bool first)
{
	if (which == 1)
		g_rec_mutex_lock(&journal);
	else if (first)
		g_rw_lock_reader_lock(&cache);
	else
		g_rw_lock_writer_lock(&cache);
}
static void give(int which, bool first)
{
	if (which == 1)
		g_rec_mutex_unlock(&journal);
	else if (first)
		g_rw_lock_reader_unlock(&cache);
	else
		g_rw_lock_writer_unlock(&cache);
}

static gpointer run(gpointer me)
{
	work(GPOINTER_TO_INT(me));
	return NULL;
}

int main(int argc, char **argv)
{
	GThread *threads[2];

	read_arguments(argc, argv);
	for (int i = 0; i < 2; i++)
		threads[i] = g_thread_new("worker", run, GINT_TO_POINTER(i));
	for (int i = 0; i < 2; i++)
		g_thread_join(threads[i]);
	return 0;
}
