#include "archive/body_source.h"

#include "archive/frame.h"
#include "archive/frame_source.h"
#include "base/err.h"

int body_source_open(struct body_source *b, struct frame_source *frames,
		     const struct tree_ref *top, struct err *e)
{
	*b = (struct body_source){ .frames = frames, .length = top->length };
	b->walker = tree_walker_new(TREE_BODY, top, frame_source_node, frames, e);
	return b->walker ? 0 : -1;
}

void body_source_close(struct body_source *b)
{
	tree_walker_free(b->walker);
	*b = (struct body_source){ .frames = NULL };
}

/* The extent behind the last one.  1: it is to be found by its place. */
static int next_extent(struct body_source *b, struct extent *x, struct err *e)
{
	if (b->n_ahead > 0) {
		*x = b->ahead[b->ahead_first];
		b->ahead_first = (b->ahead_first + 1) % BODY_SOURCE_AHEAD;
		b->n_ahead--;
		return 0;
	}
	return b->ahead_ends ? 1 : tree_walker_next(b->walker, x, e) == 0 ? 0 : -1;
}

int body_source_find(struct body_source *b, uint64_t at, struct err *e)
{
	bool next = b->x.length > 0 && at == b->at + b->x.length;
	struct extent x;
	uint64_t skip = 0;
	int found = 1;

	if (b->x.length > 0 && at >= b->at && at - b->at < b->x.length)
		return 0;
	b->x.length = 0; /* until all is well */
	b->p = NULL;
	if (next)
		found = next_extent(b, &x, e);
	b->run = found == 0 ? b->run + 1 : 0;
	if (found == 1) {
		b->n_ahead = 0;
		b->ahead_ends = false;
		found = tree_walker_seek(b->walker, at, &x, &skip, e);
	}
	if (found == 1)
		return err_set(e, ERR_DAMAGED, "the content ends too early");
	if (found < 0)
		return -1;
	b->x = x;
	b->at = at - skip;
	return 0;
}

/* Where the reading goes on from extent to extent, begin with the frames behind this one. */
static void look_ahead(struct body_source *b)
{
	struct err ignored = ERR_EMPTY;

	if (b->run < 2)
		return;
	for (size_t i = 0; i < BODY_SOURCE_AHEAD; i++) {
		struct extent *x = &b->ahead[(b->ahead_first + i) % BODY_SOURCE_AHEAD];

		if (i == b->n_ahead) {
			b->ahead_ends = b->ahead_ends ||
					tree_walker_next(b->walker, x, &ignored) != 0;
			if (b->ahead_ends)
				return;
			b->n_ahead++;
		}
		if (!frame_source_ahead(b->frames, &x->at))
			return;
	}
}

int body_source_load(struct body_source *b, const struct extent *x, const uint8_t **p,
		     struct err *e)
{
	const struct unpacked *u = NULL;

	b->p = NULL; /* its frame may make room */
	if (frame_source_get(b->frames, TREE_BODY, x, &u, e) < 0)
		return -1;
	*p = u->plain + u->content_at + x->offset;
	return 0;
}

bool body_source_ahead(struct body_source *b, const struct record_place *at)
{
	return frame_source_ahead(b->frames, at);
}

int body_source_get(struct body_source *b, uint64_t at, const uint8_t **p, size_t *n,
		    struct err *e)
{
	if (body_source_find(b, at, e) < 0)
		return -1;
	if (!b->p) {
		if (body_source_load(b, &b->x, &b->p, e) < 0)
			return -1;
		look_ahead(b);
	}
	*p = b->p + (at - b->at);
	*n = b->x.length - (size_t)(at - b->at);
	return 0;
}
