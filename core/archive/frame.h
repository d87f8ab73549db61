/* Frames and records: many chunks compressed as one (docs/format.md section 7).  The one door to
 * libzstd.  Pure: no I/O. */
#ifndef ARCHIVE_FRAME_H
#define ARCHIVE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/part.h"

struct err;

#define FRAME_CONTENT 524288 /* bytes of chunks in a frame, at most */
#define FRAME_CHUNKS 8192 /* in a frame that is read */
#define FRAME_FILL 2048	  /* in one that we write: their ids are kept beside it */
#define FRAME_TABLE_ROOM 24592 /* varint n and n varint lengths, at most */
#define FINGERPRINT_LEN 16

/* A frame being filled, and what becomes of it.  Allocated once, used again and again. */
struct frame {
	enum record_type type; /* RECORD_BODY or RECORD_HEAD */
	size_t limit;	       /* content bytes it takes, <= FRAME_CONTENT */
	size_t used;	       /* content bytes in it, open chunk included */
	size_t chunk_start;    /* where the open chunk begins */
	uint32_t n_chunks;
	uint32_t *ends;		     /* end offset of each chunk; FRAME_FILL of room */
	uint8_t (*ids)[32];	     /* of each chunk; filled by frame_pack where not known before */
	bool *id_known;
	uint8_t *room;		     /* FRAME_TABLE_ROOM + FRAME_CONTENT: table grows down, content up */
	/* filled by frame_pack */
	uint8_t (*fingerprints)[FINGERPRINT_LEN];
	uint8_t id[32];
	const uint8_t *packed; /* what goes to disk: in out, or the plaintext itself */
	size_t clen, ulen;
	enum record_codec codec;
	uint8_t *out; /* compressed; as large as the plaintext */
};
struct frame *frame_new(struct err *e);
void frame_free(struct frame *f);
void frame_reset(struct frame *f, enum record_type type, size_t limit);
static inline uint8_t *frame_content(const struct frame *f) { return f->room + FRAME_TABLE_ROOM; }
/* Close the open chunk (it must not be empty).  ID, where it is known already, else NULL. */
void frame_end_chunk(struct frame *f, const uint8_t *id);
/* Take the open chunk back. */
void frame_drop_chunk(struct frame *f);
/* The id of a chunk in a frame of TYPE (docs/format.md 7). */
void frame_chunk_id(enum record_type type, const uint8_t id_key[32], const uint8_t *p, size_t n,
		    uint8_t id[32]);

/* A worker's compressor, decompressor and scratch: about 1.7 MiB at level 1.  LEVEL 0 is off.
 * Higher levels use less than 4 MiB more. */
struct packer;
struct packer *packer_new(int level, struct err *e);
void packer_free(struct packer *p);
/* Hash the chunks, the frame; compress (a cheap probe passes over the incompressible); decode
 * what was compressed and compare it with the plaintext: a difference is ERR_FAILED. */
int frame_pack(struct frame *f, struct packer *p, const uint8_t id_key[32], struct err *e);
/* The same for NODE and ROOT plaintexts (N <= NODE_MAX): *out is borrowed until the next call. */
int packer_small(struct packer *p, const uint8_t *plain, size_t n, const uint8_t **out,
		 size_t *clen, enum record_codec *codec, struct err *e);

/* ids (section 7, 9, 11) */
void frame_node_id(const uint8_t id_key[32], const uint8_t *plain, size_t n, uint8_t out[32]);
void frame_root_id(const uint8_t *plain, size_t n, uint8_t out[32]);
/* check of an extent: N fingerprints back to back. */
void frame_check(const uint8_t id_key[32], const uint8_t *fingerprints, size_t n,
		 uint8_t out[8]);

/* A decoded frame.  Allocated once per reader. */
struct unpacked {
	uint8_t *plain; /* FRAME_MAX */
	size_t content_at, content_len;
	uint32_t n_chunks;
	uint32_t *ends;
	uint8_t (*fingerprints)[FINGERPRINT_LEN];
};
struct unpacked *unpacked_new(struct err *e);
void unpacked_free(struct unpacked *u);

struct unpacker;
struct unpacker *unpacker_new(struct err *e);
/* Room for a record as it lies in a part, FRAME_MAX; the caller's, to be freed.  NULL: no memory. */
uint8_t *unpacker_room(void);
void unpacker_free(struct unpacker *u);
/* Decompress CLEN bytes to exactly ULEN at OUT (bounded by the caller's check of ULEN). */
int unpacker_record(struct unpacker *u, enum record_codec codec, const uint8_t *data, size_t clen,
		    uint8_t *out, size_t ulen, struct err *e);
/* Parse the table of u->plain (ULEN bytes), compute chunk ids, compare the frame's id. */
int unpacked_parse(struct unpacked *u, enum record_type type, size_t ulen,
		   const uint8_t id_key[32], const uint8_t id[32], struct err *e);
/* Whether [offset, offset+length) covers whole chunks, and their check fits. */
int unpacked_check(const struct unpacked *u, uint64_t offset, uint64_t length,
		   const uint8_t id_key[32], const uint8_t check[8], struct err *e);

#endif
