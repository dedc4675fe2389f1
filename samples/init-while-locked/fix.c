/* Once, however often it is opened. */
#include <pthread.h>

static pthread_mutex_t device_lock;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_lock(void)
{
	pthread_mutex_init(&device_lock, NULL);
}

static void open_device(void)
{
	pthread_once(&once, make_lock);
}

int main(void)
{
	open_device();
	pthread_mutex_lock(&device_lock);
	open_device();
	pthread_mutex_unlock(&device_lock);
	return 0;
}
