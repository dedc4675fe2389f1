/* make_seeds.c: a log with a record of every kind and an inversion, as the fuzzer's start.
 *
 *   make_seeds FOLDER */
#include <stdio.h>
#include <string.h>

#include <detect/log_format.h>

static union {
	struct dt_log_header header;
	unsigned char bytes[16384];
} log_image;
static size_t tail = sizeof(struct dt_log_header);

static void put(struct dt_rec *rec, uint16_t type, size_t bytes, const void *payload, size_t payload_bytes)
{
	rec->type = type;
	rec->words = (uint32_t)((bytes + payload_bytes + 7) / 8);
	memcpy(log_image.bytes + tail, rec, bytes);
	if (payload_bytes)
		memcpy(log_image.bytes + tail + bytes, payload, payload_bytes);
	tail += (size_t)rec->words * 8;
}

static void put_acq(uint32_t id, uint32_t parent, uint32_t lock, uint32_t stack, enum dt_op op, enum dt_mode mode)
{
	struct dt_rec_acq acq = {.id = id, .parent = parent, .lock = lock, .stack = stack, .op = (uint8_t)op, .mode = (uint8_t)mode};
	put(&acq.head, DT_REC_ACQ, sizeof acq, NULL, 0);
}

static void put_sighting(uint32_t acq, uint32_t segment)
{
	struct dt_rec_sighting sighting = {.acq = acq, .segment = segment};
	put(&sighting.head, DT_REC_SIGHTING, sizeof sighting, NULL, 0);
}

static void put_id(uint16_t type, uint32_t id, const char *text)
{
	struct dt_rec_id rec = {.id = id};
	put(&rec.head, type, sizeof rec, text, text ? strlen(text) + 1 : 0);
}

static void put_all(void)
{
	static const char command[] = "./bank\0--fast\0/tmp/bank";
	struct dt_rec_process process = {.argc = 2, .text_bytes = sizeof command};
	put(&process.head, DT_REC_PROCESS, sizeof process, command, sizeof command);
	struct dt_rec_module module = {.id = 1, .path_bytes = 10, .build_id_bytes = 4, .bias = 0x1000, .start = 0x1000, .end = 0x9000};
	put(&module.head, DT_REC_MODULE, sizeof module, "/tmp/bank\0abcd", 14);
	for (uint32_t i = 1; i <= 3; i++) {
		struct dt_rec_segment segment = {.id = i, .thread = i, .pred = i > 1};
		put(&segment.head, DT_REC_SEGMENT, sizeof segment, NULL, 0);
		struct dt_rec_thread thread = {.id = i, .tid = 100 + (int)i, .first_segment = i, .parent = i > 1, .start_function = 0x2000};
		put(&thread.head, DT_REC_THREAD, sizeof thread, NULL, 0);
		uint64_t pcs[2] = {0x2000 + i * 16, 0x3000};
		struct dt_rec_stack stack = {.id = i, .count = 2, .exact = 2};
		put(&stack.head, DT_REC_STACK, sizeof stack, pcs, sizeof pcs);
		struct dt_rec_lock lock = {.id = i, .kind = (uint8_t)(i == 3 ? DT_LOCK_COND : DT_LOCK_MUTEX), .address = 0x8000 + i * 64, .first_stack = i};
		put(&lock.head, DT_REC_LOCK, sizeof lock, NULL, 0);
	}
	put_id(DT_REC_THREAD_NAME, 2, "teller");
	for (uint32_t i = 0; i < 2; i++) {
		put_acq(10 + 10 * i, 0, 1 + i, 1, DT_OP_ACQUIRE, DT_MODE_EXCLUSIVE);
		put_acq(11 + 10 * i, 10 + 10 * i, 2 - i, 2, DT_OP_ACQUIRE, DT_MODE_EXCLUSIVE);
		put_sighting(10 + 10 * i, 2 + i);
		put_sighting(11 + 10 * i, 2 + i);
	}
	put_acq(30, 10, 3, 3, DT_OP_COND_WAIT, DT_MODE_EXCLUSIVE);
	put_sighting(30, 2);
	put_acq(31, 0, 3, 3, DT_OP_COND_SIGNAL, DT_MODE_EXCLUSIVE);
	put_sighting(31, 3);
	put_acq(32, 10, 3, 3, DT_OP_JOIN, DT_MODE_EXCLUSIVE);
	put_sighting(32, 2);
	put_acq(33, 10, 2, 3, DT_OP_HOLD, DT_MODE_SHARED);
	put_id(DT_REC_LOCK_END, 2, NULL);
	put_id(DT_REC_THREAD_END, 2, NULL);
	put_id(DT_REC_MODULE_END, 1, NULL);
	struct dt_rec_exit ended = {.status = 3};
	put(&ended.head, DT_REC_EXIT, sizeof ended, NULL, 0);
}

int main(int argc, char **argv)
{
	char path[4096];
	if (argc != 2)
		return fprintf(stderr, "usage: make_seeds FOLDER\n"), 2;
	memcpy(log_image.header.magic, DT_LOG_MAGIC, sizeof log_image.header.magic);
	log_image.header.version = DT_LOG_VERSION;
	log_image.header.byte_order = DT_LOG_BYTE_ORDER;
	log_image.header.header_bytes = sizeof log_image.header;
	put_all();
	log_image.header.tail_bytes = tail;
	for (int mode = 0; mode < 8; mode++) {
		snprintf(path, sizeof path, "%s/seed-%d", argv[1], mode);
		FILE *out = fopen(path, "wb");
		if (!out || fputc(mode, out) == EOF || fwrite(log_image.bytes, 1, tail, out) != tail || fclose(out) != 0)
			return perror(path), 1;
	}
	return 0;
}
