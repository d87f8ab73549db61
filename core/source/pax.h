/* A strict look into an entry's pax header blocks: what selection, lists and checks need, without
 * libarchive, in the process that holds keys.  Accepts what walk.c writes (libarchive's pax
 * writer), refuses all else.  Hostile input: everything is checked, nothing is allocated but
 * through the caller's buffers. */
#ifndef SOURCE_PAX_H
#define SOURCE_PAX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/entry.h"

struct err;

enum pax_type {
	PAX_FILE, PAX_LINK, PAX_SYMLINK, PAX_CHAR, PAX_BLOCK, PAX_DIR, PAX_FIFO
};

struct pax {
	enum pax_type type;
	char path[ENTRY_PATH_MAX + 3];	 /* as in the header, "./a/b", directories without the final
					    slash; the root is "." */
	char target[ENTRY_PATH_MAX + 3]; /* of a link (form of path) or symlink (as is) */
	uint32_t mode;			 /* 12 bits */
	uint32_t shown_mode; /* as stat has it: the mask of an ACL in place of the group's bits */
	uint64_t uid, gid;
	int64_t mtime;
	uint32_t mtime_ns;
	uint64_t size;	   /* apparent size of a regular file */
	uint64_t body_len; /* size without holes: what the body has */
	uint32_t dev_major, dev_minor;
	bool has_xattr, has_acl, has_flags;
	/* sparse map: N_RUNS runs of data; parse them with pax_run */
	bool sparse;
	size_t n_runs;
	const uint8_t *map; /* in the header */
	size_t map_len;
};

/* Parse and check: ustar checksum, numbers, lengths, path policy (starts with "./", or is "./";
 * no "", ".", ".." components; no NUL; at most ENTRY_PATH_MAX bytes, ENTRY_DEPTH_MAX components;
 * hard link targets too), sparse map ascending and within size.  ERR_DAMAGED says what. */
int pax_parse(const uint8_t *header, size_t n, struct pax *out, struct err *e);

/* Iterate a sparse file's data runs in order (for a non-sparse file: the one run [0, size), if
 * size > 0). */
struct pax_runs {
	const struct pax *pax;
	size_t next, at;
};
struct pax_runs pax_runs(const struct pax *p);
/* false at the end. */
bool pax_run(struct pax_runs *it, uint64_t *offset, uint64_t *length);

/* Whether PATH ("./a/b") is SELECTED ("./a" or "./a/b") or lies below it. */
bool pax_path_below(const char *path, const char *selected);
/* Less than, equal to or greater than 0 as A comes before, is, or comes after B in walk order: depth
 * first, siblings bytewise. */
int pax_path_order(const char *a, const char *b);

/* Iterate what a header that pax_parse accepted says besides struct pax: extended attributes, ACLs
 * and file flags, as "KEY=VALUE". */
enum pax_attr_kind { PAX_ATTR_XATTR, PAX_ATTR_ACL, PAX_ATTR_FLAGS };
struct pax_attrs {
	const uint8_t *p, *end;
};
struct pax_attrs pax_attrs(const uint8_t *header, size_t n);
/* false at the end. */
bool pax_attr(struct pax_attrs *it, enum pax_attr_kind *kind, const uint8_t **text, size_t *n);

#endif
