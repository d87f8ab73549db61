/* Building a tree from left to right: one open node per level, closed when full, named in
 * the level above.  A tree of one node has no level above it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "archive/part.h"
#include "archive/tree.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/wire.h"

#define HEAD_ROOM 4 /* stream, level, varint n */
#define LEAF_STREAM (16u << 20)
#define LEAF_BYTES (48u << 10)
#define LEAF_ITEMS 8192
#define CHILDREN 1024
#define CHILDREN_LEAST 32
#define CHILDREN_MASK 127

struct open_node {
	struct bytes plain; /* HEAD_ROOM bytes for later, then the items */
	uint32_t n;
	uint64_t length, entries, body;
	struct record_place before; /* of the last item */
	struct tree_ref last;	    /* the last child, at levels above 0 */
};

struct tree_builder {
	enum tree_stream stream;
	tree_store_fn *store;
	void *ctx;
	struct open_node levels[TREE_LEVEL_MAX + 1];
};

struct tree_builder *tree_builder_new(enum tree_stream stream, tree_store_fn *store,
				      void *ctx, struct err *e)
{
	struct tree_builder *b = calloc(1, sizeof(*b));

	if (!b) {
		(void)err_memory(e);
		return NULL;
	}
	b->stream = stream;
	b->store = store;
	b->ctx = ctx;
	return b;
}

void tree_builder_free(struct tree_builder *b)
{
	if (!b)
		return;
	for (size_t i = 0; i <= TREE_LEVEL_MAX; i++)
		bytes_free(&b->levels[i].plain);
	free(b);
}

/* A difference of two unsigned numbers that must fit a zigzag. */
static int put_step(struct bytes *out, uint64_t from, uint64_t to, struct err *e)
{
	int64_t d;

	if (__builtin_sub_overflow(to, from, &d))
		return err_set(e, ERR_FAILED, "tree: place out of range");
	return wire_put_zigzag(out, d, e);
}

static int put_place(struct open_node *node, const struct record_place *at, struct err *e)
{
	struct bytes *out = &node->plain;

	if (out->len == 0 && bytes_zero(out, HEAD_ROOM, e) < 0)
		return -1;
	if (put_step(out, node->before.seq, at->seq, e) < 0 ||
	    put_step(out, node->before.part, at->part, e) < 0 ||
	    put_step(out, node->before.offset, at->offset, e) < 0)
		return -1;
	node->before = *at;
	return 0;
}

static int put_sums(struct tree_builder *b, struct open_node *node, uint64_t length,
		    uint64_t entries, uint64_t body, struct err *e)
{
	if (__builtin_add_overflow(node->length, length, &node->length) ||
	    __builtin_add_overflow(node->entries, entries, &node->entries) ||
	    __builtin_add_overflow(node->body, body, &node->body))
		return err_set(e, ERR_FAILED, "tree: stream too long");
	node->n++;
	if (wire_put_varint(&node->plain, length, e) < 0)
		return -1;
	if (b->stream == TREE_BODY)
		return 0;
	if (wire_put_varint(&node->plain, entries, e) < 0)
		return -1;
	return wire_put_varint(&node->plain, body, e);
}

static int add_child(struct tree_builder *b, uint8_t level, const struct tree_ref *ref,
		     struct err *e)
{
	struct open_node *node = &b->levels[level];

	node->last = *ref;
	if (put_place(node, &ref->at, e) < 0 ||
	    put_sums(b, node, ref->length, ref->entries, ref->body, e) < 0)
		return -1;
	return bytes_append(&node->plain, ref->id, sizeof(ref->id), e);
}

/* Store the open node of LEVEL and begin an empty one; *ref names it. */
static int close_node(struct tree_builder *b, uint8_t level, struct tree_ref *ref,
		      struct err *e)
{
	struct open_node *node = &b->levels[level];
	uint8_t head[2 + 10] = { (uint8_t)b->stream, level };
	size_t n = 2 + wire_varint(head + 2, node->n);
	uint8_t *plain = node->plain.p + HEAD_ROOM - n;
	size_t len = node->plain.len - HEAD_ROOM + n;

	assert(n <= HEAD_ROOM && len <= NODE_MAX);
	memcpy(plain, head, n);
	*ref = (struct tree_ref){ .level = level,
				  .length = node->length,
				  .entries = node->entries,
				  .body = node->body };
	if (b->store(b->ctx, plain, len, ref, e) < 0)
		return -1;
	node->plain.len = 0;
	node->n = 0;
	node->length = node->entries = node->body = 0;
	node->before = (struct record_place){ 0 };
	return 0;
}

static bool node_is_full(const struct open_node *node, uint8_t level)
{
	if (level > 0)
		return node->n >= CHILDREN ||
		       (node->n >= CHILDREN_LEAST && (node->last.id[0] & CHILDREN_MASK) == 0);
	return node->length >= LEAF_STREAM || node->plain.len >= LEAF_BYTES ||
	       node->n >= LEAF_ITEMS;
}

static int close_up(struct tree_builder *b, uint8_t level, struct err *e)
{
	struct tree_ref ref;

	if (level == TREE_LEVEL_MAX)
		return err_set(e, ERR_FAILED, "tree: more than %d levels",
			       TREE_LEVEL_MAX);
	if (close_node(b, level, &ref, e) < 0)
		return -1;
	return add_child(b, (uint8_t)(level + 1), &ref, e);
}

int tree_builder_add(struct tree_builder *b, const struct extent *x, struct err *e)
{
	struct open_node *leaf = &b->levels[0];

	if (put_place(leaf, &x->at, e) < 0 ||
	    wire_put_varint(&leaf->plain, x->offset, e) < 0 ||
	    put_sums(b, leaf, x->length, x->entries, x->body, e) < 0 ||
	    bytes_append(&leaf->plain, x->check, sizeof(x->check), e) < 0)
		return -1;
	return node_is_full(leaf, 0) ? tree_builder_cut(b, e) : 0;
}

int tree_builder_cut(struct tree_builder *b, struct err *e)
{
	if (b->levels[0].n == 0)
		return 0;
	if (close_up(b, 0, e) < 0)
		return -1;
	for (uint8_t k = 1; k <= TREE_LEVEL_MAX && node_is_full(&b->levels[k], k); k++)
		if (close_up(b, k, e) < 0)
			return -1;
	return 0;
}

static bool nothing_above(const struct tree_builder *b, uint8_t level)
{
	for (size_t k = level + 1u; k <= TREE_LEVEL_MAX; k++)
		if (b->levels[k].n > 0)
			return false;
	return true;
}

int tree_builder_finish(struct tree_builder *b, struct tree_ref *top, struct err *e)
{
	for (uint8_t k = 0; k <= TREE_LEVEL_MAX; k++) {
		if (b->levels[k].n == 0)
			continue;
		if (nothing_above(b, k)) {
			if (k == 0 || b->levels[k].n > 1)
				return close_node(b, k, top, e);
			*top = b->levels[k].last;
			return 0;
		}
		if (close_up(b, k, e) < 0)
			return -1;
	}
	*top = (struct tree_ref){ .level = TREE_LEVEL_NONE };
	return 0;
}
