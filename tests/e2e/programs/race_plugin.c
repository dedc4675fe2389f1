/* Loaded and unloaded by race_storms.c: data that no lock guards, made by a constructor. */
static long value, *at;

long plugin_count(void);
long plugin_read(void);

__attribute__((constructor)) static void init(void)
{
	at = &value;
	value = 42;
}

__attribute__((destructor)) static void fini(void)
{
	value = 0;
}

long plugin_count(void)
{
	return ++*at;
}

long plugin_read(void)
{
	return *at;
}
