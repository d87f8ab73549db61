/* Trees of extents: building, and walking from left to right (docs/format.md section 9). */
#ifndef ARCHIVE_TREE_H
#define ARCHIVE_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;
struct err;

enum tree_stream { TREE_BODY = 1, TREE_HEAD = 2 };
#define TREE_LEVEL_MAX 15
#define TREE_LEVEL_NONE 255

/* Where a record lies. */
struct record_place {
	uint64_t seq;
	uint32_t part;
	uint64_t offset;
};

struct extent {
	struct record_place at;
	uint64_t offset, length;
	uint64_t entries, body; /* head stream only */
	uint8_t check[8];
};

/* A reference to a node, or the top of a tree. */
struct tree_ref {
	uint8_t level; /* of the node named; TREE_LEVEL_NONE: empty stream */
	struct record_place at;
	uint64_t length, entries, body;
	uint8_t id[16];
};

/* ---- building: one open node per level in memory ---- */
struct tree_builder;
/* Called with each finished node: stores PLAIN as a NODE record and fills REF's place and id. */
typedef int tree_store_fn(void *ctx, const uint8_t *plain, size_t n, struct tree_ref *ref,
			  struct err *e);
struct tree_builder *tree_builder_new(enum tree_stream stream, tree_store_fn *store, void *ctx,
				      struct err *e);
void tree_builder_free(struct tree_builder *b);
/* Append an extent; the builder merges nothing.  A leaf is closed when it is full (16 MiB of stream,
 * 48 KiB of items); a node above leaves where the id of a child says so. */
int tree_builder_add(struct tree_builder *b, const struct extent *x, struct err *e);
/* Close the leaf here: where its content says so, so that the same content is the same leaf. */
int tree_builder_cut(struct tree_builder *b, struct err *e);
/* Close all levels; *top is the tree's top (level TREE_LEVEL_NONE for an empty stream). */
int tree_builder_finish(struct tree_builder *b, struct tree_ref *top, struct err *e);

/* ---- walking ---- */
struct tree_walker;
/* Called to load the node that REF names: appends its plaintext to OUT after checking its id. */
typedef int tree_load_fn(void *ctx, const struct tree_ref *ref, struct bytes *out, struct err *e);
struct tree_walker *tree_walker_new(enum tree_stream stream, const struct tree_ref *top,
				    tree_load_fn *load, void *ctx, struct err *e);
void tree_walker_free(struct tree_walker *w);
/* The next extent; 1 at the end, where all sums were found to fit. */
int tree_walker_next(struct tree_walker *w, struct extent *x, struct err *e);
/* After a failed tree_walker_next: pass over the node, and all below it, that was not to be had.
 * *lost: its length, entries and body.  The next extent is the one behind it. */
void tree_walker_pass(struct tree_walker *w, struct extent *lost);
/* Go to the extent that holds byte AT of the stream (forward or back); *skip is AT's offset in it.
 * 1: AT is the end of the stream. */
int tree_walker_seek(struct tree_walker *w, uint64_t at, struct extent *x, uint64_t *skip,
		     struct err *e);

#endif
