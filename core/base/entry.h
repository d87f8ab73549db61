/* The stream between source and archive: entries in walk order, each with a header (its pax tar
 * header blocks) and a body (its content without holes and padding).
 *
 * For each entry the source first asks `known`: what the sink remembers from the last snapshot need
 * not be read again.  Else the body comes, then the header, because a header is made after its body
 * was read, so that sizes agree whatever a writer did meanwhile.  A dump, whose size is not known
 * before its end, comes in the same way. */
#ifndef BASE_ENTRY_H
#define BASE_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

#define ENTRY_HEADER_MAX 262144        /* bytes of one entry's header blocks */
#define ENTRY_PATH_MAX 4095            /* bytes of a path, without the NUL */
#define ENTRY_DEPTH_MAX 256            /* components of a path */
#define ENTRY_SIZE_UNKNOWN UINT64_MAX  /* in a hint: of a dump */

/* What tells whether an entry is the one that it was.  Device numbers change from one mount to the
 * next and are left out but for the question whether it is the root's. */
struct entry_stat {
	uint64_t ino, size, rdev; /* size: of anything but a directory */
	uint32_t mode, uid, gid;
	int64_t mtime, ctime; /* s */
	uint32_t mtime_ns, ctime_ns;
	bool root_device;
};

/* What is known before the body is read. */
struct entry_hint {
	const char *path; /* "." for the root, else "./a/b"; bytes, no NUL, no trailing slash */
	uint64_t size;    /* apparent size of a regular file, holes included; else 0 */
	const struct entry_stat *stat; /* NULL: nothing that could be remembered */
	const char *link; /* a hard link's first path; NULL: none */
};

struct entry {
	const char *path;      /* as in the hint */
	const uint8_t *header; /* header blocks, a multiple of 512 */
	size_t header_len;
	uint64_t size;     /* apparent size of a regular file's own content; 0 for links and others */
	uint64_t body_len; /* bytes of body sent for it: size without holes */
	const struct entry_stat *stat; /* from before the body was read; NULL as in the hint */
	const char *link;
	bool settled; /* an entry with the same stat will be the same: it did not change for long
		       * enough before it was read, on a file system that can be trusted */
};

struct entry_sink {
	void *ctx;
	/* Entries come in ascending order of path ('/' before every other byte).  1: the sink has
	 * this one, header and body, as it was; it is done.  0: it has not: begin, body, entry.
	 * Only asked with a stat. */
	int (*known)(void *ctx, const struct entry_hint *hint, struct err *e);
	/* A body is about to be read.  Not called for entries without one. */
	int (*begin)(void *ctx, const struct entry_hint *hint, struct err *e);
	/* The next N bytes of the body, which lie at OFFSET of the file; borrowed for the call. */
	int (*body)(void *ctx, uint64_t offset, const uint8_t *p, size_t n, struct err *e);
	/* The entry is complete; it owns all body bytes since the last entry or drop. */
	int (*entry)(void *ctx, const struct entry *en, struct err *e);
	/* The body bytes since the last entry or drop belong to no entry. */
	int (*drop)(void *ctx, struct err *e);
};

/* Below zero, zero, above zero: A comes before, is, comes after B in walk order. */
int entry_path_compare(const char *a, const char *b);

#endif
