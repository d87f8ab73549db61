/* One open-addressing table with linear probing.  Its slots are in memory up to
 * MEMORY_KEYS keys; then they move to an unlinked file, where probing goes through pages
 * of whole slots.  A slot's home is the hash scaled to the number of slots, so a table is
 * rehashed in ascending order and moving to a larger one is nearly sequential. */
#include "source/links.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/entry.h"
#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"

#define MEMORY_KEYS 65536
#define MEMORY_SLOTS_FIRST 1280
#define PAGE_SLOTS 170 /* 4080 bytes */

struct slot {
	uint8_t key[16];
	uint64_t value; /* plus one; 0: free */
};

struct links {
	char *scratch;
	uint64_t n_keys, n_slots;
	struct slot *slots; /* NULL when in the file */
	int fd;
	uint64_t page_at; /* number of the page in PAGE, or UINT64_MAX */
	struct slot page[PAGE_SLOTS];
};

int links_new(const char *scratch, struct links **out, struct err *e)
{
	struct links *l = calloc(1, sizeof(*l));

	if (!l)
		return err_memory(e);
	l->fd = -1;
	l->page_at = UINT64_MAX;
	l->n_slots = MEMORY_SLOTS_FIRST;
	l->scratch = strdup(scratch);
	l->slots = calloc(l->n_slots, sizeof(*l->slots));
	if (!l->scratch || !l->slots) {
		links_free(l);
		return err_memory(e);
	}
	*out = l;
	return 0;
}

void links_free(struct links *l)
{
	if (!l)
		return;
	scope_close(&l->fd);
	free(l->slots);
	free(l->scratch);
	free(l);
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

static uint64_t key_home(const struct links *l, const uint8_t key[16])
{
	return ((key_hash(key) >> 32) * l->n_slots) >> 32;
}

/* The slot with number I, valid until the next call; NULL with *e filled. */
static struct slot *slot_at(struct links *l, uint64_t i, struct err *e)
{
	uint64_t page = i / PAGE_SLOTS;

	if (l->slots)
		return &l->slots[i];
	if (page != l->page_at) {
		l->page_at = UINT64_MAX;
		if (file_pread(l->fd, l->page, sizeof(l->page),
			       (off_t)(page * sizeof(l->page))) !=
		    (ssize_t)sizeof(l->page)) {
			(void)err_sys(e, "read the spill file of hard links");
			return NULL;
		}
		l->page_at = page;
	}
	return &l->page[i % PAGE_SLOTS];
}

/* The slot with KEY, or the free one where it belongs; *AT is its number. */
static struct slot *slot_find(struct links *l, const uint8_t key[16], uint64_t *at,
			      struct err *e)
{
	struct slot *s;

	*at = key_home(l, key);
	while ((s = slot_at(l, *at, e)) && s->value != 0 && memcmp(s->key, key, 16) != 0)
		*at = *at + 1 == l->n_slots ? 0 : *at + 1;
	return s;
}

static int slot_set(struct links *l, const uint8_t key[16], uint64_t stored,
		    struct err *e)
{
	uint64_t at;
	struct slot *s = slot_find(l, key, &at, e);

	if (!s)
		return -1;
	if (s->value == 0)
		l->n_keys++;
	memcpy(s->key, key, 16);
	s->value = stored;
	if (!l->slots && file_pwrite(l->fd, s, sizeof(*s), (off_t)(at * sizeof(*s))) < 0)
		return err_sys(e, "write the spill file of hard links");
	return 0;
}

/* Give TO, which has no slots yet, at least N of them, in memory or in a file. */
static int table_make(struct links *to, uint64_t n, bool in_memory, struct err *e)
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
		return err_sys(e, "make the spill file of hard links");
	return 0;
}

static int table_copy(struct links *from, struct links *to, struct err *e)
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
static int table_grow(struct links *l, struct err *e)
{
	struct links to = { .scratch = l->scratch, .fd = -1, .page_at = UINT64_MAX };
	bool in_memory = l->n_keys < MEMORY_KEYS;

	if (table_make(&to, l->n_slots * 2, in_memory, e) < 0 ||
	    table_copy(l, &to, e) < 0) {
		scope_close(&to.fd);
		free(to.slots);
		return -1;
	}
	scope_close(&l->fd);
	free(l->slots);
	*l = to;
	return 0;
}

int links_get(struct links *l, const uint8_t key[16], uint64_t *value, struct err *e)
{
	uint64_t at;
	struct slot *s = slot_find(l, key, &at, e);

	if (!s)
		return -1;
	if (s->value == 0)
		return 1;
	*value = s->value - 1;
	return 0;
}

int links_put(struct links *l, const uint8_t key[16], uint64_t value, struct err *e)
{
	if (value == UINT64_MAX)
		return err_set(e, ERR_FAILED, "a hard link value out of range");
	if (l->n_keys + 1 > l->n_slots / 5 * 4 && table_grow(l, e) < 0)
		return -1;
	return slot_set(l, key, value + 1, e);
}
