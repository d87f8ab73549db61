/* The array is sorted in place, by a heap: qsort would take as much memory again. */
#include "archive/body_window.h"

#include <stdlib.h>
#include <string.h>

#include "archive/body_source.h"
#include "base/err.h"

#define LOOK_AHEAD 32 /* items: of three frames, at most */

struct window_item {
	uint32_t at;	 /* from the window's base on */
	uint32_t home;	 /* index */
	uint32_t record; /* its offset: a part has less than 4 GiB */
	uint32_t offset, length;
	uint8_t check[8];
};

struct window_home {
	uint64_t seq;
	uint32_t part;
};

void body_window_begin(struct body_window *w, struct body_source *source, uint64_t at,
		       uint64_t len)
{
	w->source = source;
	w->at = at;
	w->end = at + len;
	w->begun = false;
	w->n = w->next = 0;
}

void body_window_free(struct body_window *w)
{
	free(w->items);
	free(w->homes);
	*w = (struct body_window){ .source = NULL };
}

/* ---- order ---- */

static bool comes_before(const struct record_place *a, const struct record_place *b)
{
	if (a->seq != b->seq)
		return a->seq < b->seq;
	return a->part != b->part ? a->part < b->part : a->offset < b->offset;
}

static bool item_before(const struct body_window *w, const struct window_item *a,
			const struct window_item *b)
{
	const struct window_home *x = &w->homes[a->home], *y = &w->homes[b->home];

	if (x->seq != y->seq)
		return x->seq < y->seq;
	if (x->part != y->part)
		return x->part < y->part;
	return a->record != b->record ? a->record < b->record : a->at < b->at;
}

/* Let the item at I sink below those that come after it, among the first N. */
static void sink(const struct body_window *w, size_t i, size_t n)
{
	struct window_item moved = w->items[i];
	size_t child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n &&
		    item_before(w, &w->items[child], &w->items[child + 1]))
			child++;
		if (!item_before(w, &moved, &w->items[child]))
			break;
		w->items[i] = w->items[child];
		i = child;
	}
	w->items[i] = moved;
}

static void sort(const struct body_window *w)
{
	for (size_t i = w->n / 2; i > 0; i--)
		sink(w, i - 1, w->n);
	for (size_t n = w->n; n > 1; n--) {
		struct window_item last = w->items[n - 1];

		w->items[n - 1] = w->items[0];
		w->items[0] = last;
		sink(w, 0, n - 1);
	}
}

/* ---- collecting ---- */

/* Index of what AT lies in; those found last are asked first. */
static int home_find(struct body_window *w, const struct record_place *at, uint32_t *out,
		     struct err *e)
{
	for (size_t i = w->n_homes; i > 0; i--)
		if (w->homes[i - 1].seq == at->seq && w->homes[i - 1].part == at->part) {
			*out = (uint32_t)(i - 1);
			return 0;
		}
	if (w->n_homes == w->home_room) {
		size_t room = w->home_room ? 2 * w->home_room : 64;
		struct window_home *more = reallocarray(w->homes, room, sizeof(*more));

		if (!more)
			return err_memory(e);
		w->homes = more;
		w->home_room = room;
	}
	w->homes[w->n_homes] = (struct window_home){ .seq = at->seq, .part = at->part };
	*out = (uint32_t)w->n_homes++;
	return 0;
}

static int item_add(struct body_window *w, uint64_t at, const struct extent *x,
		    struct err *e)
{
	struct window_item *it = &w->items[w->n];
	const uint8_t *p;

	if (x->at.offset > UINT32_MAX) /* beyond any part: the source says so */
		return body_source_load(w->source, x, &p, e);
	if (home_find(w, &x->at, &it->home, e) < 0)
		return -1;
	it->at = (uint32_t)(at - w->base);
	it->record = (uint32_t)x->at.offset;
	it->offset = (uint32_t)x->offset;
	it->length = (uint32_t)x->length;
	memcpy(it->check, x->check, sizeof(it->check));
	w->n++;
	return 0;
}

/* Take in extents from w->at on, where one begins: the one before was given. */
static int collect(struct body_window *w, struct err *e)
{
	struct body_source *b = w->source;
	uint64_t at = w->at;

	if (!w->items)
		w->items = calloc(BODY_WINDOW_ITEMS, sizeof(*w->items));
	if (!w->items)
		return err_memory(e);
	w->n_homes = 0;
	w->base = at;
	while (at < w->end && w->n < BODY_WINDOW_ITEMS) {
		if (body_source_find(b, at, e) < 0)
			return -1;
		if (b->at + b->x.length - w->base > BODY_WINDOW_SPAN)
			break;
		if (item_add(w, b->at, &b->x, e) < 0)
			return -1;
		at = b->at + b->x.length;
	}
	sort(w);
	w->at = at < w->end ? at : w->end;
	return 0;
}

/* ---- giving ---- */

static struct record_place item_place(const struct body_window *w,
				      const struct window_item *it)
{
	const struct window_home *home = &w->homes[it->home];

	return (struct record_place){ home->seq, home->part, it->record };
}

/* Begin with the frames of the next items. */
static void look_ahead(const struct body_window *w)
{
	for (size_t i = w->next; i < w->n && i - w->next < LOOK_AHEAD; i++) {
		struct record_place at = item_place(w, &w->items[i]);

		if (!body_source_ahead(w->source, &at))
			return;
	}
}

static int give_item(struct body_window *w, uint64_t *at, const uint8_t **p, size_t *n,
		     struct err *e)
{
	const struct window_item *it = &w->items[w->next];
	struct extent x = { .at = item_place(w, it),
			    .offset = it->offset,
			    .length = it->length };
	uint64_t left;

	memcpy(x.check, it->check, sizeof(x.check));
	if (body_source_load(w->source, &x, p, e) < 0)
		return -1;
	w->next++;
	look_ahead(w);
	*at = w->base + it->at;
	left = w->at - *at;
	*n = it->length < left ? it->length : (size_t)left;
	return 0;
}

/* As it comes, while places go up; 1: they do not. */
static int give_straight(struct body_window *w, uint64_t *at, const uint8_t **p,
			 size_t *n, struct err *e)
{
	struct body_source *b = w->source;

	if (body_source_find(b, w->at, e) < 0)
		return -1;
	if (w->begun && comes_before(&b->x.at, &w->last))
		return 1;
	if (body_source_get(b, w->at, p, n, e) < 0)
		return -1;
	w->begun = true;
	w->last = b->x.at;
	*at = w->at;
	if (*n > w->end - w->at)
		*n = (size_t)(w->end - w->at);
	w->at += *n;
	return 0;
}

int body_window_next(struct body_window *w, uint64_t *at, const uint8_t **p, size_t *n,
		     struct err *e)
{
	int found;

	if (w->next == w->n) {
		if (w->at == w->end)
			return 1;
		found = give_straight(w, at, p, n, e);
		if (found <= 0)
			return found;
		w->n = w->next = 0;
		if (collect(w, e) < 0) {
			w->n = 0;
			return -1;
		}
		w->begun = false; /* what comes behind the window is looked at anew */
	}
	return give_item(w, at, p, n, e);
}
