/* One open-addressing table with linear probing.  Its slots are in memory up to
 * memory_keys keys; then they move to an unlinked file, where probing goes through pages
 * of whole slots.  A slot's home is the hash scaled to the number of slots, so a table is
 * rehashed in ascending order and moving to a larger one is nearly sequential. */
#include "base/table.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"

#define SLOTS_FIRST 1280
#define PAGE_SLOTS 170 /* 4080 bytes */

struct slot {
	uint8_t key[16];
	uint64_t value; /* plus one; 0: free */
};

struct table {
	char *scratch;
	size_t memory_keys;
	uint64_t n_keys, n_slots;
	struct slot *slots; /* NULL when in the file */
	int fd;
	uint64_t page_at; /* number of the page in PAGE, or UINT64_MAX */
	struct slot page[PAGE_SLOTS];
};

int table_new(const char *scratch, size_t memory_keys, struct table **out, struct err *e)
{
	struct table *t = calloc(1, sizeof(*t));

	if (!t)
		return err_memory(e);
	t->fd = -1;
	t->memory_keys = memory_keys;
	t->page_at = UINT64_MAX;
	t->n_slots = SLOTS_FIRST;
	t->scratch = strdup(scratch);
	t->slots = calloc(t->n_slots, sizeof(*t->slots));
	if (!t->scratch || !t->slots) {
		table_free(t);
		return err_memory(e);
	}
	*out = t;
	return 0;
}

void table_free(struct table *t)
{
	if (!t)
		return;
	scope_close(&t->fd);
	free(t->slots);
	free(t->scratch);
	free(t);
}

static uint64_t key_hash(const uint8_t key[16])
{
	uint64_t a, b;

	memcpy(&a, key, 8);
	memcpy(&b, key + 8, 8);
	a = (a ^ (b + 0x9e3779b97f4a7c15U + (a << 6))) * 0xff51afd7ed558ccdU;
	a = (a ^ (a >> 33)) * 0xc4ceb9fe1a85ec53U;
	return a ^ (a >> 33);
}

static uint64_t key_home(const struct table *t, const uint8_t key[16])
{
	return ((key_hash(key) >> 32) * t->n_slots) >> 32;
}

/* The slot with number I, valid until the next call; NULL with *e filled. */
static struct slot *slot_at(struct table *t, uint64_t i, struct err *e)
{
	uint64_t page = i / PAGE_SLOTS;

	if (t->slots)
		return &t->slots[i];
	if (page != t->page_at) {
		t->page_at = UINT64_MAX;
		if (file_pread(t->fd, t->page, sizeof(t->page),
			       (off_t)(page * sizeof(t->page))) !=
		    (ssize_t)sizeof(t->page)) {
			(void)err_sys(e, "read a spill file");
			return NULL;
		}
		t->page_at = page;
	}
	return &t->page[i % PAGE_SLOTS];
}

/* The slot with KEY, or the free one where it belongs; *AT is its number. */
static struct slot *slot_find(struct table *t, const uint8_t key[16], uint64_t *at,
			      struct err *e)
{
	struct slot *s;

	*at = key_home(t, key);
	while ((s = slot_at(t, *at, e)) && s->value != 0 && memcmp(s->key, key, 16) != 0)
		*at = *at + 1 == t->n_slots ? 0 : *at + 1;
	return s;
}

static int slot_set(struct table *t, const uint8_t key[16], uint64_t stored,
		    struct err *e)
{
	uint64_t at;
	struct slot *s = slot_find(t, key, &at, e);

	if (!s)
		return -1;
	if (s->value == 0)
		t->n_keys++;
	memcpy(s->key, key, 16);
	s->value = stored;
	if (!t->slots && file_pwrite(t->fd, s, sizeof(*s), (off_t)(at * sizeof(*s))) < 0)
		return err_sys(e, "write a spill file");
	return 0;
}

/* Give TO, which has no slots yet, at least N of them, in memory or in a file. */
static int table_make(struct table *to, uint64_t n, bool in_memory, struct err *e)
{
	if (in_memory) {
		to->n_slots = n;
		to->slots = calloc(n, sizeof(*to->slots));
		if (!to->slots)
			return err_memory(e);
		return 0;
	}
	to->n_slots = (n + PAGE_SLOTS - 1) / PAGE_SLOTS * PAGE_SLOTS;
	to->fd = file_temp(to->scratch, e);
	if (to->fd < 0)
		return -1;
	if (ftruncate(to->fd, (off_t)(to->n_slots / PAGE_SLOTS * sizeof(to->page))) < 0)
		return err_sys(e, "make a spill file");
	return 0;
}

static int table_copy(struct table *from, struct table *to, struct err *e)
{
	for (uint64_t i = 0; i < from->n_slots; i++) {
		struct slot *s = slot_at(from, i, e);

		if (!s)
			return -1;
		if (s->value != 0 && slot_set(to, s->key, s->value, e) < 0)
			return -1;
	}
	return 0;
}

/* Move to twice as many slots. */
static int table_grow(struct table *t, struct err *e)
{
	struct table to = { .scratch = t->scratch,
			    .memory_keys = t->memory_keys,
			    .fd = -1,
			    .page_at = UINT64_MAX };
	bool in_memory = t->n_keys < t->memory_keys;

	if (table_make(&to, t->n_slots * 2, in_memory, e) < 0 ||
	    table_copy(t, &to, e) < 0) {
		scope_close(&to.fd);
		free(to.slots);
		return -1;
	}
	scope_close(&t->fd);
	free(t->slots);
	*t = to;
	return 0;
}

int table_get(struct table *t, const uint8_t key[16], uint64_t *value, struct err *e)
{
	uint64_t at;
	struct slot *s = slot_find(t, key, &at, e);

	if (!s)
		return -1;
	if (s->value == 0)
		return 1;
	*value = s->value - 1;
	return 0;
}

int table_put(struct table *t, const uint8_t key[16], uint64_t value, struct err *e)
{
	if (value == UINT64_MAX)
		return err_set(e, ERR_FAILED, "table: a value out of range");
	if (t->n_keys + 1 > t->n_slots / 5 * 4 && table_grow(t, e) < 0)
		return -1;
	return slot_set(t, key, value + 1, e);
}
