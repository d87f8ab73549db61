/* The chunk at the expected place is looked at first, then that behind the one found last, which is where
 * a file goes on behind what was inserted.  Only where it is another one, the fingerprints around the
 * place are loaded and hashed. */
#include "archive/window.h"

#include <stdlib.h>
#include <string.h>

#include "archive/line.h"
#include "base/err.h"
#include "base/wire.h"

#define LOADED 4096
#define BEFORE 1024 /* of these before the expected place */
#define SLOTS 8192

struct window {
	struct line *line;
	enum chunk_source source;
	uint64_t first, n;
	uint64_t next;	   /* expected, counted from first */
	uint64_t behind;   /* the one found last */
	uint64_t base;	   /* what is loaded: [base, base + n_loaded) */
	uint32_t n_loaded; /* 0: nothing */
	uint8_t fingerprints[LOADED][FINGERPRINT_LEN];
	uint16_t slots[SLOTS]; /* number in the loaded plus one; 0 free */
};

int window_new(struct line *line, struct window **out, struct err *e)
{
	struct window *w = calloc(1, sizeof(*w));

	if (!w)
		return err_memory(e);
	w->line = line;
	*out = w;
	return 0;
}

void window_free(struct window *w) { free(w); }
enum chunk_source window_source(const struct window *w) { return w->source; }

void window_open(struct window *w, enum chunk_source source, uint64_t first, uint64_t n)
{
	w->source = source;
	w->first = first;
	w->n = n;
	w->next = w->behind = 0;
	w->n_loaded = 0;
}

static size_t home(const uint8_t fingerprint[FINGERPRINT_LEN])
{
	return wire_get16(fingerprint) % SLOTS;
}

static int load(struct window *w, struct err *e)
{
	uint64_t base = w->next > BEFORE ? w->next - BEFORE : 0;
	uint32_t n = w->n - base < LOADED ? (uint32_t)(w->n - base) : LOADED;

	memset(w->slots, 0, sizeof(w->slots));
	w->n_loaded = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct chunk c;
		size_t at;

		if (line_chunk(w->line, w->source, w->first + base + i, &c, e) < 0)
			return -1;
		memcpy(w->fingerprints[i], c.fingerprint, FINGERPRINT_LEN);
		at = home(c.fingerprint);
		while (w->slots[at] && memcmp(w->fingerprints[w->slots[at] - 1], c.fingerprint,
					      FINGERPRINT_LEN) != 0)
			at = (at + 1) % SLOTS;
		if (!w->slots[at]) /* of equal ones the first: one frame instead of many */
			w->slots[at] = (uint16_t)(i + 1);
	}
	w->base = base;
	w->n_loaded = n;
	return 0;
}

/* Whether what is loaded reaches far enough around the expected place. */
static bool is_loaded(const struct window *w)
{
	uint64_t end = w->base + w->n_loaded;

	return w->n_loaded > 0 && (w->base == 0 || w->next >= w->base + BEFORE / 2) &&
	       (end == w->n || w->next + 2 * BEFORE <= end);
}

static int try_number(struct window *w, uint64_t i, const uint8_t *fingerprint, uint32_t length,
		      struct chunk *out, struct err *e)
{
	if (line_chunk(w->line, w->source, w->first + i, out, e) < 0)
		return -1;
	if (out->length != length || memcmp(out->fingerprint, fingerprint, FINGERPRINT_LEN) != 0)
		return 1;
	w->next = w->behind = i + 1;
	return 0;
}

static int search(struct window *w, const uint8_t *fingerprint, uint32_t length,
		  uint64_t *number, struct chunk *out, struct err *e)
{
	size_t at = home(fingerprint);
	int r;

	while (w->slots[at]) {
		uint32_t i = w->slots[at] - 1u;

		at = (at + 1) % SLOTS;
		if (memcmp(w->fingerprints[i], fingerprint, FINGERPRINT_LEN) != 0)
			continue;
		r = try_number(w, w->base + i, fingerprint, length, out, e);
		if (r <= 0) {
			*number = w->first + w->base + i;
			return r;
		}
	}
	return 1;
}

int window_find(struct window *w, const uint8_t fingerprint[FINGERPRINT_LEN], uint32_t length,
		uint64_t *number, struct chunk *out, struct err *e)
{
	int r = 1;

	if (w->next < w->n) {
		*number = w->first + w->next;
		r = try_number(w, w->next, fingerprint, length, out, e);
	}
	if (r == 1 && w->behind < w->next) {
		*number = w->first + w->behind;
		r = try_number(w, w->behind, fingerprint, length, out, e);
	}
	if (r != 1)
		return r;
	if (!is_loaded(w) && load(w, e) < 0)
		return -1;
	r = search(w, fingerprint, length, number, out, e);
	if (r == 1 && w->next < w->n)
		w->next++; /* a page changed in place */
	return r;
}

