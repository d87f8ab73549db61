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

int body_source_find(struct body_source *b, uint64_t at, struct err *e)
{
	bool next = b->x.length > 0 && at == b->at + b->x.length;
	struct extent x;
	uint64_t skip = 0;
	int found;

	if (b->x.length > 0 && at >= b->at && at - b->at < b->x.length)
		return 0;
	b->x.length = 0; /* until all is well */
	b->p = NULL;
	found = next ? tree_walker_next(b->walker, &x, e)
		     : tree_walker_seek(b->walker, at, &x, &skip, e);
	if (found == 1)
		return err_set(e, ERR_DAMAGED, "the content ends too early");
	if (found < 0)
		return -1;
	b->x = x;
	b->at = at - skip;
	return 0;
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

int body_source_get(struct body_source *b, uint64_t at, const uint8_t **p, size_t *n,
		    struct err *e)
{
	if (body_source_find(b, at, e) < 0 ||
	    (!b->p && body_source_load(b, &b->x, &b->p, e) < 0))
		return -1;
	*p = b->p + (at - b->at);
	*n = b->x.length - (size_t)(at - b->at);
	return 0;
}
