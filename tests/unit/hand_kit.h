/* Archives of one part made record by record: what kit_craft and the mosaics are made of. */
#ifndef TESTS_HAND_KIT_H
#define TESTS_HAND_KIT_H

#include "archive/tree.h"
#include "archive_kit.h"

struct packer;

struct hand {
	const struct craft *c;
	struct part_header h;
	struct part_writer *w;
	struct packer *packer;
	struct store_part *file;
	uint8_t fk[32];
	uint8_t chain[32]; /* of its trailer, from hand_close on */
	bool bad_id;	   /* the frames that come get ids that are not theirs */
};

/* C says which archive, and with totals and what is wrong with it; borrowed until
 * hand_close. */
void hand_open(struct hand *x, const struct craft *c);

#define HAND_CHUNKS 64
struct hand_frame {
	struct record_place at;
	size_t chunk, len;
	uint32_t n;
	uint8_t fingerprints[HAND_CHUNKS][16];
};
/* A frame of N bytes (P NULL: zeros) in chunks of CHUNK, the last one maybe shorter. */
void hand_frame(struct hand *x, enum record_type type, const uint8_t *p, size_t n,
		size_t chunk, struct hand_frame *out);
/* N chunks of it, from the FIRST on. */
struct extent hand_extent(const struct hand_frame *f, uint32_t first, uint32_t n);
/* A tree_store_fn; CTX is the struct hand. */
int hand_node(void *ctx, const uint8_t *plain, size_t n, struct tree_ref *ref,
	      struct err *e);
struct tree_ref hand_tree(struct hand *x, enum tree_stream stream,
			  const struct extent *xt, size_t n);
/* ROOT (head's top, body's top) and trailer; commits it. */
struct archive_id hand_close(struct hand *x, const struct tree_ref tops[2]);

#endif
