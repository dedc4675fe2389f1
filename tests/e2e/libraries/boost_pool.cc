// boost::interprocess::interprocess_semaphore is a sem_t.
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "pool.h"

static std::unique_ptr<boost::interprocess::interprocess_semaphore> pool;

static void connect_one() { pool->wait(); }
static void disconnect_one() { pool->post(); }

int main(int argc, char **argv)
{
	std::vector<std::thread> threads;

	pool = std::make_unique<boost::interprocess::interprocess_semaphore>(connections(argc, argv));
	for (int i = 0; i < WORKERS; i++)
		threads.emplace_back(work, i);
	for (auto &thread : threads)
		thread.join();
}
