/* The parts of an archive being written, as one place for records (DESIGN "Archive and
 * commit").
 *
 * A record never crosses a part: where it does not fit, the part is finished, gets its
 * name, and the next begins.  The last one is staged, then committed: its rename makes
 * the snapshot. */
#ifndef ARCHIVE_SERIES_H
#define ARCHIVE_SERIES_H

#include <stddef.h>
#include <stdint.h>

#include "archive/part.h"

struct err;
struct record_place;
struct series;
struct writer_options;

/* A record to write; what it points to is borrowed. */
struct outgoing {
	enum record_type type;
	enum record_codec codec;
	const uint8_t *id; /* 32 bytes */
	const uint8_t *data;
	size_t clen, ulen;
};

/* What O points to, but its descriptor and predecessor, is borrowed throughout. */
int series_open(const struct writer_options *o, struct series **out, struct err *e);
/* Append a record; *at is where it lies. */
int series_record(struct series *s, const struct outgoing *r, struct record_place *at,
		  struct err *e);
/* Finish the last part: fsynced, without its name.  *t (final) comes with root_offset;
 * parts, parent and summary are filled here. */
int series_stage(struct series *s, struct part_trailer *t, const struct summary *sum,
		 struct err *e);
/* Check that the other parts are there as written; give the last one its name. */
int series_commit(struct series *s, struct err *e);
/* clen of the records, and bytes of the files, so far (the last part's once it is
 * staged). */
uint64_t series_new_bytes(const struct series *s);
uint64_t series_stored(const struct series *s);
const uint8_t *series_archive_id(const struct series *s); /* 16 bytes */
/* Removes a last part that was not committed. */
void series_free(struct series *s);

#endif
