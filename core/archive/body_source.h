/* The body stream from any place on: extents by the body tree, bytes in place. */
#ifndef ARCHIVE_BODY_SOURCE_H
#define ARCHIVE_BODY_SOURCE_H

#include <stddef.h>
#include <stdint.h>

struct err;
struct frame_source;
struct tree_ref;
struct tree_walker;

struct body_source {
	struct frame_source *frames; /* borrowed */
	struct tree_walker *walker;
	uint64_t length;
	/* the extent that lies open; n = 0: none */
	uint64_t at;
	const uint8_t *p;
	size_t n;
};

/* Free with body_source_close, also when opening failed. */
int body_source_open(struct body_source *b, struct frame_source *frames,
		     const struct tree_ref *top, struct err *e);
void body_source_close(struct body_source *b);
/* Bytes of the stream from AT on, AT < b->length: *n > 0 of them at *p, valid until the
 * next call. */
int body_source_get(struct body_source *b, uint64_t at, const uint8_t **p, size_t *n,
		    struct err *e);

#endif
