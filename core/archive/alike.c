#include "archive/alike.h"

#include <stdlib.h>
#include <string.h>

#include "archive/line.h"
#include "base/err.h"
#include "base/table.h"

#define IN_MEMORY 32768

/* A list in 64 bits: source, its length up to 2^23 chunks, first number below 2^40. */
#define N_BITS 23
#define N_MOST ((1u << N_BITS) - 1)
#define FIRST_MOST (((uint64_t)1 << 40) - 1)

struct alike {
	struct cache *cache;
	const struct cache_segs *entries;
	struct line *line;
	struct table *table;
	bool loaded;
};

int alike_new(const char *scratch, struct cache *c, const struct cache_segs *entries,
	      struct line *line, struct alike **out, struct err *e)
{
	struct alike *a = calloc(1, sizeof(*a));

	if (!a)
		return err_memory(e);
	a->cache = c;
	a->entries = entries;
	a->line = line;
	a->loaded = !entries;
	if (table_new(scratch, IN_MEMORY, &a->table, e) < 0) {
		free(a);
		return -1;
	}
	*out = a;
	return 0;
}

void alike_free(struct alike *a)
{
	if (!a)
		return;
	table_free(a->table);
	free(a);
}

static int put(struct alike *a, enum chunk_source source, const uint8_t *fingerprint,
	       uint64_t first, uint64_t n, struct err *e)
{
	if (n == 0 || first >= FIRST_MOST) /* all ones are no value of the table */
		return 0;
	return table_put(a->table, fingerprint,
			 (source == CHUNK_NEW ? (uint64_t)1 << 63 : 0) | first << N_BITS |
				 (n < N_MOST ? n : N_MOST),
			 e);
}

static int load(struct alike *a, struct entries_reader *r, struct cache_entry *x, struct err *e)
{
	uint64_t first = 0;
	int more;

	while ((more = entries_reader_next(r, x, e)) == 0) {
		struct chunk c;

		if (x->chunks > 0 && (line_chunk(a->line, CHUNK_OLD, first, &c, e) < 0 ||
				      put(a, CHUNK_OLD, c.fingerprint, first, x->chunks, e) < 0))
			return -1;
		first += x->chunks;
	}
	return more < 0 ? -1 : 0;
}

static int load_tip(struct alike *a, struct err *e)
{
	struct cache_entry *x = malloc(sizeof(*x));
	struct entries_reader *r = NULL;
	int result = x ? entries_reader_new(a->cache, a->entries, &r, e) : err_memory(e);

	if (result == 0)
		result = load(a, r, x, e);
	entries_reader_free(r);
	free(x);
	a->loaded = result == 0;
	return result;
}

int alike_get(struct alike *a, const uint8_t fingerprint[FINGERPRINT_LEN], struct alike_list *out,
	      struct err *e)
{
	uint64_t word;
	int r;

	if (!a->loaded && load_tip(a, e) < 0)
		return -1;
	r = table_get(a->table, fingerprint, &word, e);
	if (r != 0)
		return r;
	*out = (struct alike_list){ .source = word >> 63 ? CHUNK_NEW : CHUNK_OLD,
				    .first = word >> N_BITS & FIRST_MOST,
				    .n = word & N_MOST };
	return 0;
}

int alike_put(struct alike *a, const uint8_t fingerprint[FINGERPRINT_LEN], uint64_t first,
	      uint64_t n, struct err *e)
{
	return put(a, CHUNK_NEW, fingerprint, first, n, e);
}
