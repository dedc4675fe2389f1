// Swapping the contents of two inventories: std::scoped_lock takes both locks or waits with none.
#include <cstdio>
#include <mutex>
#include <thread>
#include <utility>

class Inventory
{
      public:
	explicit Inventory(int items) : items_(items)
	{
	}

	void swap_with(Inventory &other)
	{
		std::scoped_lock both(mutex_, other.mutex_);
		std::swap(items_, other.items_);
	}

	int items() const
	{
		return items_;
	}

      private:
	std::mutex mutex_;
	int items_;
};

static Inventory shop(10), store(200);

int main()
{
	std::thread morning([] { shop.swap_with(store); });
	std::thread evening([] { store.swap_with(shop); });

	morning.join();
	evening.join();
	std::printf("shop %d, store %d\n", shop.items(), store.items());
}
