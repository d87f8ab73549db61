/* Groups of entries: the chunks of the head stream (docs/format.md section 10).  A group
 * grows as the open chunk of a HEAD frame.
 *
 * Where it ends is decided by a keyed hash of a path, so that a name more or less in a
 * directory moves one boundary and not all that follow. */
#ifndef ARCHIVE_GROUP_H
#define ARCHIVE_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct frame;

struct group {
	uint32_t n;		/* entries and gaps in the open group */
	uint64_t entries, body; /* entries; bytes of body, gaps included */
};

/* Append an entry, or with HEADER_LEN 0 a gap, to F's open chunk.  False: F has no room
 * left for it; nothing was done. */
bool group_put(struct group *g, struct frame *f, const uint8_t *header, size_t header_len,
	       uint64_t body_len);
/* Whether the group ends behind the entry PATH (NULL: a gap), which was put last. */
bool group_ends(const struct group *g, const struct frame *f, const uint8_t gear_key[32],
		const char *path);
/* End it: F's chunk is closed, with its ID where that is known.  A no-op for an empty group. */
void group_close(struct group *g, struct frame *f, const uint8_t *id);
/* Move the open group, which F had no room to go on with, to TO, which is empty. */
void group_move(struct frame *f, struct frame *to);

#endif
