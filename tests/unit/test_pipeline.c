/* Frames come back packed and in order, with no, one and two workers. */
#include <dlfcn.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "archive/crypto.h"
#include "archive/frame.h"
#include "archive/pipeline.h"
#include "base/err.h"

static const uint8_t id_key[32] = { 9 };

/* A compressor that errs on content beginning with "bad". */
size_t ZSTD_compress2(void *c, void *out, size_t room, const void *p, size_t n);

size_t ZSTD_compress2(void *c, void *out, size_t room, const void *p, size_t n)
{
	size_t (*real)(void *, void *, size_t, const void *, size_t);
	void *found = dlsym(RTLD_NEXT, "ZSTD_compress2");
	size_t got;

	memcpy(&real, &found, sizeof(real));
	got = real(c, out, room, p, n);
	if (n > 10 && memmem(p, 10, "bad", 3) && got < room)
		((uint8_t *)out)[got / 2] ^= 1;
	return got;
}

static int group_setup(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	return crypto_init(&e);
}

static void fill(struct frame *f, uint32_t no, size_t len)
{
	frame_reset(f, RECORD_BODY, FRAME_CONTENT);
	for (size_t i = 0; i < len; i++)
		frame_content(f)[i] = (uint8_t)((i & 63) + no % 7);
	memcpy(frame_content(f), &no, sizeof(no));
	f->used = len;
	frame_end_chunk(f, NULL);
}

/* Take back the oldest: it must be number *NEXT, with the id that its content has. */
static bool collect(struct pipeline *p, uint32_t *next)
{
	uint8_t text[33] = { RECORD_BODY }, id[32];
	struct err e = ERR_EMPTY;
	struct frame *f;
	uint32_t no;
	int r = pipeline_collect(p, &f, &e);

	if (r == 1)
		return false;
	assert_int_equal(r, 0);
	memcpy(&no, frame_content(f), sizeof(no));
	assert_int_equal(no, (*next)++);
	crypto_b2("vs1.id.body", id_key, 32, frame_content(f), f->used, text + 1, 32);
	crypto_b2("vs1.id.frame", id_key, 32, text, sizeof(text), id, 32);
	assert_memory_equal(f->id, id, 32);
	pipeline_release(p, f);
	return true;
}

static void run(unsigned workers)
{
	struct err e = ERR_EMPTY;
	struct pipeline *p = pipeline_new(1, workers, id_key, &e);
	uint32_t next = 0;

	assert_non_null(p);
	for (uint32_t no = 0; no < 600; no++) {
		struct frame *f;

		while (!(f = pipeline_take(p)))
			assert_true(collect(p, &next));
		/* Very different amounts of work, so that workers overtake each other. */
		fill(f, no, no % 5 == 0 ? FRAME_CONTENT : 100 + no);
		pipeline_give(p, f);
		if (no % 37 == 0)
			(void)collect(p, &next);
	}
	while (collect(p, &next))
		continue;
	assert_int_equal(next, 600);
	pipeline_free(p);
}

/* Whichever worker is done first, frames come back in the order in which they were given,
 * each with the id of its own content. */
static void test_order(void **state)
{
	(void)state;
	for (unsigned workers = 0; workers <= PIPELINE_WORKERS; workers++)
		run(workers);
}

/* There are five frames and no more: memory is bounded. */
static void test_five(void **state)
{
	struct err e = ERR_EMPTY;
	struct pipeline *p = pipeline_new(1, 2, id_key, &e);
	struct frame *f[PIPELINE_FRAMES];

	(void)state;
	assert_non_null(p);
	for (size_t i = 0; i < PIPELINE_FRAMES; i++) {
		f[i] = pipeline_take(p);
		assert_non_null(f[i]);
	}
	assert_null(pipeline_take(p));
	for (size_t i = 0; i < PIPELINE_FRAMES; i++)
		pipeline_release(p, f[i]);
	pipeline_free(p);
}

/* T48: a frame that cannot be packed fails when it is collected, in its turn; those around it
 * do not. */
static void test_t48_compressor_fault(void **state)
{
	(void)state;
	for (unsigned workers = 0; workers <= PIPELINE_WORKERS; workers++) {
		struct err e = ERR_EMPTY;
		struct pipeline *p = pipeline_new(1, workers, id_key, &e);
		struct frame *f;

		assert_non_null(p);
		for (uint32_t no = 0; no < 3; no++) {
			f = pipeline_take(p);
			assert_non_null(f);
			fill(f, no, 50000);
			if (no == 1)
				memcpy(frame_content(f), "bad", 4);
			pipeline_give(p, f);
		}
		assert_int_equal(pipeline_collect(p, &f, &e), 0);
		pipeline_release(p, f);
		assert_int_equal(pipeline_collect(p, &f, &e), -1);
		assert_non_null(strstr(e.text, "compressor fault"));
		assert_int_equal(pipeline_collect(p, &f, &e), 0);
		pipeline_release(p, f);
		assert_int_equal(pipeline_collect(p, &f, &e), 1);
		pipeline_free(p);
	}
}

/* Freed in full work, it waits for its workers and leaks nothing (with the sanitizers).
 */
static void test_free_early(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 30; i++) {
		struct err e = ERR_EMPTY;
		struct pipeline *p = pipeline_new(1, 2, id_key, &e);

		assert_non_null(p);
		for (uint32_t no = 0; no < 1 + i % PIPELINE_FRAMES; no++) {
			struct frame *f = pipeline_take(p);

			fill(f, no, FRAME_CONTENT);
			pipeline_give(p, f);
		}
		pipeline_free(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_five),
		cmocka_unit_test(test_t48_compressor_fault),
		cmocka_unit_test(test_free_early),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
