/* The stream between source and archive: entries in walk order, each with a header (its pax tar
 * header blocks) and a body (its content without holes and padding).
 *
 * The body comes before the header, because a header is made after its body was read, so that
 * sizes agree whatever a writer did meanwhile.  A dump or a socket would look the same. */
#ifndef BASE_ENTRY_H
#define BASE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define ENTRY_HEADER_MAX 262144        /* bytes of one entry's header blocks */
#define ENTRY_PATH_MAX 4095            /* bytes of a path, without the NUL */
#define ENTRY_DEPTH_MAX 256            /* components of a path */

/* What is known before the body is read. */
struct entry_hint {
	const char *path; /* "." for the root, else "./a/b"; bytes, no NUL, no trailing slash */
	uint64_t size;    /* apparent size of a regular file, holes included; else 0 */
};

struct entry {
	const char *path;      /* as in the hint */
	const uint8_t *header; /* header blocks, a multiple of 512 */
	size_t header_len;
	uint64_t size;     /* apparent size of a regular file's own content; 0 for links and others */
	uint64_t body_len; /* bytes of body sent for it: size without holes */
};

struct entry_sink {
	void *ctx;
	/* A body is about to be read.  Not called for entries without one. */
	int (*begin)(void *ctx, const struct entry_hint *hint, struct err *e);
	/* The next N bytes of the body; borrowed for the call. */
	int (*body)(void *ctx, const uint8_t *p, size_t n, struct err *e);
	/* The entry is complete; it owns all body bytes since the last entry or drop. */
	int (*entry)(void *ctx, const struct entry *en, struct err *e);
	/* The body bytes since the last entry or drop belong to no entry. */
	int (*drop)(void *ctx, struct err *e);
};

#endif
