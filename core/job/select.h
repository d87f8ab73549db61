/* The entries of a snapshot that restore and export take: all, or those at and below given paths.
 *
 * A hard link whose first name is not selected gets that file's content and metadata under its own
 * name (T21); further selected names become links to it. */
#ifndef JOB_SELECT_H
#define JOB_SELECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "source/pax.h"

struct err;
struct reader;
struct select;

/* PATHS as typed ("a/b", "/a/b", "./a/b/"); N 0: everything.  SCRATCH takes spill files. */
int select_new(struct reader *r, const char *const *paths, size_t n, const char *scratch,
	       struct select **out, struct err *e);
void select_free(struct select *s);

/* A path as typed in the form that headers have: "/a//b/" gives "./a/b", "" gives ".".  ERR_USAGE. */
int select_path(const char *in, char out[ENTRY_PATH_MAX + 3], struct err *e);

struct selected {
	const uint8_t *header; /* blocks, rewritten where needed; valid until the next call */
	size_t header_len;
	struct pax pax;	       /* of these blocks */
	uint64_t lost;	       /* entries, where select_next gave 2 */
};
/* The next selected entry; 1 at the end.  Its content comes through reader_body.  2, where the
 * reader salvages: out->lost entries cannot be read here, or (0) the link out->pax alone, whose
 * first name is among those; *e says why. */
int select_next(struct select *s, struct selected *out, struct err *e);
/* A path that selected nothing, or NULL; call after the end. */
const char *select_unmatched(const struct select *s);

#endif
