/* Records taken out of parts: head checked, content decompressed (docs/format.md section
 * 7). */
#ifndef ARCHIVE_RECORD_H
#define ARCHIVE_RECORD_H

#include <stddef.h>
#include <stdint.h>

#include "archive/part.h"

struct err;
struct root;
struct stream_keys;
struct unpacker;

struct record {
	enum record_type type;
	enum record_codec codec;
	uint32_t clen, ulen;
	uint8_t id[32]; /* as the head says; the caller recomputes it */
};

/* The record of TYPE that begins at OFFSET: FRAME_MAX (BODY, HEAD) or NODE_MAX bytes of
 * room at PACKED, which is scratch, and at PLAIN.  Errors name file and record. */
int record_load(struct part_reader *r, uint64_t offset, enum record_type type,
		struct unpacker *u, uint8_t *packed, uint8_t *plain, struct record *out,
		struct err *e);
/* The two steps of it: read into PACKED, which is not taken apart yet; and take it apart,
 * without I/O.  Errors of the second do not name the record. */
int record_fetch(struct part_reader *r, uint64_t offset, enum record_type type,
		 uint8_t *packed, struct record *out, struct err *e);
int record_unpack(const struct record *rec, struct unpacker *u, const uint8_t *packed,
		  uint8_t *plain, struct err *e);
/* The head of the record at OFFSET, of whatever type, and where the one behind it begins; 1: there
 * is none. */
int record_peek(struct part_reader *r, uint64_t offset, struct record *out, uint64_t *next,
		struct err *e);
/* The ROOT that FINAL's trailer points at: id checked, that it is of the volume that the
 * header names, and the last record. */
int record_root(struct part_reader *final, struct root *out, struct stream_keys *k,
		struct err *e);

#endif
