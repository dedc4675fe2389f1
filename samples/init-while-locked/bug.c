/* Opening the device again initialises its mutex again, while the first user holds it. */
#include <pthread.h>

static pthread_mutex_t device_lock;

static void open_device(void)
{
	pthread_mutex_init(&device_lock, NULL);
}

int main(void)
{
	open_device();
	pthread_mutex_lock(&device_lock);
	open_device();
	pthread_mutex_unlock(&device_lock);
	return 0;
}
