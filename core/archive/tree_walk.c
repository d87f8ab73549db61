/* Walking a tree from left to right, and to any place: one loaded node per level.
 *
 * A node is parsed twice: whole when it is loaded, so that its sums are known to fit what
 * named it before any item of it is used, and then item by item.  Levels go down by one
 * from node to node, so no chain of nodes can be longer than the top's level says. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "archive/frame.h"
#include "archive/part.h"
#include "archive/tree.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/wire.h"

#define NODE_ITEMS 8192

/* An extent, or (level > 0) a reference. */
struct item {
	struct extent x;
	uint8_t id[16];
};

/* Where the reading of a node is. */
struct node_pos {
	struct cursor c;
	uint64_t n_left;
	uint64_t at; /* in the stream: where the next item begins */
	struct record_place before;
};

struct loaded {
	struct bytes plain;
	uint64_t start, length; /* what it covers of the stream; length 0: not loaded */
	struct node_pos first, now;
};

struct tree_walker {
	enum tree_stream stream;
	struct tree_ref top;
	tree_load_fn *load;
	void *ctx;
	bool begun;
	struct tree_ref last; /* of the node that was loaded, or tried, last */
	struct loaded levels[TREE_LEVEL_MAX + 1];
};

struct tree_walker *tree_walker_new(enum tree_stream stream, const struct tree_ref *top,
				    tree_load_fn *load, void *ctx, struct err *e)
{
	struct tree_walker *w;

	if (top->level > TREE_LEVEL_MAX && top->level != TREE_LEVEL_NONE) {
		(void)err_set(e, ERR_DAMAGED, "tree: level %d of its top",
			      (int)top->level);
		return NULL;
	}
	if ((top->length == 0) != (top->level == TREE_LEVEL_NONE)) {
		(void)err_set(e, ERR_DAMAGED,
			      "tree: its top does not fit the stream's length");
		return NULL;
	}
	w = calloc(1, sizeof(*w));
	if (!w) {
		(void)err_memory(e);
		return NULL;
	}
	w->stream = stream;
	w->top = *top;
	w->load = load;
	w->ctx = ctx;
	return w;
}

void tree_walker_free(struct tree_walker *w)
{
	if (!w)
		return;
	for (size_t i = 0; i <= TREE_LEVEL_MAX; i++)
		bytes_free(&w->levels[i].plain);
	free(w);
}

static int damaged(struct err *e, const char *why)
{
	return err_set(e, ERR_DAMAGED, "tree: %s", why);
}

/* A place is given as steps from the one before; none may lead out of range. */
static bool take_place(struct node_pos *pos, struct record_place *at)
{
	int64_t seq = cursor_zigzag(&pos->c), part = cursor_zigzag(&pos->c),
		offset = cursor_zigzag(&pos->c);

	if (__builtin_add_overflow(pos->before.seq, seq, &at->seq) ||
	    __builtin_add_overflow(pos->before.part, part, &at->part) ||
	    __builtin_add_overflow(pos->before.offset, offset, &at->offset))
		return false;
	pos->before = *at;
	return true;
}

/* The next item of a node of LEVEL; false where it is not one. */
static bool take_item(enum tree_stream stream, uint8_t level, struct node_pos *pos,
		      struct item *it)
{
	struct extent *x = &it->x;

	*x = (struct extent){ .offset = 0 };
	if (!take_place(pos, &x->at))
		return false;
	if (level == 0)
		x->offset = cursor_varint(&pos->c);
	x->length = cursor_varint(&pos->c);
	if (stream == TREE_HEAD) {
		x->entries = cursor_varint(&pos->c);
		x->body = cursor_varint(&pos->c);
	}
	if (level == 0)
		cursor_copy(&pos->c, x->check, sizeof(x->check));
	else
		cursor_copy(&pos->c, it->id, sizeof(it->id));
	if (level == 0 &&
	    (x->offset > FRAME_CONTENT || x->length > FRAME_CONTENT - x->offset))
		return false;
	pos->n_left--;
	return cursor_ok(&pos->c) && x->length > 0 &&
	       !__builtin_add_overflow(pos->at, x->length, &pos->at);
}

/* Read all items of a node just loaded: they must add up to what REF says, and end with
 * it. */
static bool sums_fit(enum tree_stream stream, struct node_pos pos,
		     const struct tree_ref *ref)
{
	uint64_t start = pos.at, entries = 0, body = 0;

	while (pos.n_left > 0) {
		struct item it;

		if (!take_item(stream, ref->level, &pos, &it) ||
		    __builtin_add_overflow(entries, it.x.entries, &entries) ||
		    __builtin_add_overflow(body, it.x.body, &body))
			return false;
	}
	return cursor_done(&pos.c) && pos.at - start == ref->length &&
	       entries == ref->entries && body == ref->body;
}

/* Load the node that REF names; what it covers begins at START of the stream. */
static int load_node(struct tree_walker *w, const struct tree_ref *ref, uint64_t start,
		     struct err *e)
{
	struct loaded *node = &w->levels[ref->level];
	struct node_pos *pos = &node->first;
	uint8_t stream, level;

	node->length = 0;
	node->now.n_left = 0;
	node->plain.len = 0;
	w->last = *ref;
	if (w->load(w->ctx, ref, &node->plain, e) < 0)
		return -1;
	if (node->plain.len > NODE_MAX)
		return damaged(e, "a node is too large");
	*pos = (struct node_pos){ .c = cursor_make(node->plain.p, node->plain.len),
				  .at = start };
	stream = cursor_u8(&pos->c);
	level = cursor_u8(&pos->c);
	pos->n_left = cursor_varint(&pos->c);
	if (stream != w->stream || level != ref->level)
		return damaged(e,
			       "a node is of another stream or level than what names it");
	if (!cursor_ok(&pos->c) || pos->n_left == 0 || pos->n_left > NODE_ITEMS)
		return damaged(e, "a node has an impossible number of items");
	if (!sums_fit(w->stream, *pos, ref))
		return damaged(e, "the items of a node are not what names it says");
	node->now = *pos;
	node->start = start;
	node->length = ref->length;
	return 0;
}

/* Take the next item of LEVEL; where it is a reference, load it. */
static int step(struct tree_walker *w, uint8_t level, struct item *it, struct err *e)
{
	struct node_pos *pos = &w->levels[level].now;
	uint64_t start = pos->at;
	struct tree_ref ref;

	if (!take_item(w->stream, level, pos, it))
		return damaged(e,
			       "a node changed while it was read"); /* it was checked */
	if (level == 0)
		return 0;
	ref = (struct tree_ref){ .level = (uint8_t)(level - 1),
				 .at = it->x.at,
				 .length = it->x.length,
				 .entries = it->x.entries,
				 .body = it->x.body };
	memcpy(ref.id, it->id, sizeof(ref.id));
	return load_node(w, &ref, start, e);
}

static int begin(struct tree_walker *w, struct err *e)
{
	if (w->begun)
		return 0;
	if (load_node(w, &w->top, 0, e) < 0)
		return -1;
	w->begun = true;
	return 0;
}

/* The node was taken out of the one above before it was loaded; where it is the top, there is
 * nothing but what was lost. */
void tree_walker_pass(struct tree_walker *w, struct extent *lost)
{
	w->begun = true;
	*lost = (struct extent){ .length = w->last.length,
				 .entries = w->last.entries,
				 .body = w->last.body };
}

int tree_walker_next(struct tree_walker *w, struct extent *x, struct err *e)
{
	struct item it;
	uint8_t k = 0;

	if (w->top.level == TREE_LEVEL_NONE)
		return 1;
	if (begin(w, e) < 0)
		return -1;
	while (w->levels[k].now.n_left == 0)
		if (k++ == w->top.level)
			return 1;
	do
		if (step(w, k, &it, e) < 0)
			return -1;
	while (k-- > 0);
	*x = it.x;
	return 0;
}

/* Move LEVEL's reading to just before the item that holds AT, which the node covers. */
static void find_item(struct tree_walker *w, uint8_t level, uint64_t at)
{
	struct loaded *node = &w->levels[level];
	struct node_pos pos = at >= node->now.at ? node->now : node->first;

	do
		node->now = pos;
	while (take_item(w->stream, level, &pos, &(struct item){ .id = { 0 } }) &&
	       pos.at <= at);
}

int tree_walker_seek(struct tree_walker *w, uint64_t at, struct extent *x, uint64_t *skip,
		     struct err *e)
{
	struct item it;
	uint8_t k = 0;

	if (at > w->top.length)
		return damaged(e, "a place beyond the end of the stream is asked for");
	if (w->top.level == TREE_LEVEL_NONE)
		return 1;
	if (begin(w, e) < 0)
		return -1;
	if (at == w->top.length) {
		for (; k <= w->top.level; k++)
			w->levels[k].now.n_left = 0;
		return 1;
	}
	while (at < w->levels[k].start || at - w->levels[k].start >= w->levels[k].length)
		k++; /* the top covers all */
	do {
		find_item(w, k, at);
		*skip = at - w->levels[k].now.at;
		if (step(w, k, &it, e) < 0)
			return -1;
	} while (k-- > 0);
	*x = it.x;
	return 0;
}
