/* One file of an archive: header, sealed segments, trailer; encode and decode, write and read
 * (docs/format.md sections 5-8). */
#ifndef ARCHIVE_PART_H
#define ARCHIVE_PART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/stream.h"
#include "base/bytes.h"

struct err;
struct store;
struct store_file;
struct store_part;

#define SEGMENT_LEN 16384
#define SEGMENT_PAYLOAD 16366
#define PART_MAX_SEGMENTS 15872 /* with two trailers this stays under 256 MiB; PADMÉ fixed point */
#define RECORD_HEAD_LEN 48
#define FRAME_MAX 589824 /* ulen of a frame */
#define NODE_MAX 65536	 /* ulen of NODE and ROOT */
#define STANZA_LEN 64
#define SUMMARY_LEN 256

enum record_type { RECORD_BODY = 1, RECORD_HEAD = 2, RECORD_NODE = 3, RECORD_ROOT = 4 };
enum record_codec { CODEC_RAW = 0, CODEC_ZSTD = 1 };

/* An archive as others name it. */
struct archive_id {
	uint8_t id[16];
	uint64_t seq;
	uint8_t trailer_hash[32]; /* of its last part */
};

/* What a stream goes on from that was opened after a fork, or by a re-installed host: TLV 1 of its
 * headers. */
struct predecessor {
	uint8_t stream_id[16], archive_id[16];
};

struct dependency {
	struct archive_id archive;
	uint64_t live;
};

struct summary {
	int64_t time_ms, day;
	uint8_t level, grade;
	uint32_t unreadable, changed_entries;
	uint64_t entries, bytes, new_bytes, reemitted, changed_bytes;
};

/* ---- header ---- */
struct part_header {
	uint32_t header_len; /* filled by encode and decode */
	uint8_t store_id[16], archive_id[16], eph_pk[32];
	struct stream stream;
	uint64_t seq;
	uint32_t part, epoch;
	int64_t created_ms;
	size_t n_stanzas;
	uint8_t (*stanzas)[STANZA_LEN]; /* malloc'ed, owned */
	struct bytes tlv;
	uint8_t hash[32]; /* hh */
};
void part_header_free(struct part_header *h);
/* Append to OUT; mac with FK; fills h->header_len and h->hash. */
int part_header_encode(struct part_header *h, const uint8_t fk[32], struct bytes *out,
		       struct err *e);
/* Decode N bytes that begin with a header; everything but the mac is checked. */
int part_header_decode(const uint8_t *p, size_t n, struct part_header *out, struct err *e);
bool part_header_mac_fits(const uint8_t *raw, size_t header_len, const uint8_t fk[32]);
/* The part's file name within its stream's directory (section 3). */
void part_header_name(const struct part_header *h, bool final, char *out, size_t size);

/* Seal FK (or, for KEY_PRUNE, the list key) to PK; h needs all but stanzas filled. */
int stanza_seal(const struct part_header *h, enum key_role role, const uint8_t pk[32],
		const uint8_t eph_sk[32], const uint8_t payload[32], uint8_t out[STANZA_LEN],
		struct err *e);
/* Find and open this key's stanza: 0 payload filled, 1 none of the stanzas is for this key, -1
 * one is but does not open (ERR_DAMAGED).  SK is the X25519 secret.  ROLE KEY_RECOVERY and
 * KEY_READER are tried alike. */
int stanza_open(const struct part_header *h, enum key_role role, const uint8_t sk[32],
		uint8_t payload[32], struct err *e);
/* Whether one of the stanzas is for the reader or recovery key whose public half is PK. */
bool stanza_is_for(const struct part_header *h, const uint8_t pk[32]);

/* ---- trailer ---- */
struct part_trailer {
	uint32_t trailer_len; /* T */
	bool final, partial;
	uint32_t n_segments;
	uint8_t header_hash[32];
	uint8_t (*slots)[16]; /* n_segments; owned */
	/* final only */
	uint32_t n_parts;
	uint8_t (*parts)[32]; /* n_parts - 1; owned */
	struct archive_id parent;
	bool has_parent;
	uint64_t root_offset;
	size_t n_deps;
	struct dependency *deps; /* owned */
	uint8_t summary[SUMMARY_LEN + 16]; /* sealed */
	struct bytes tlv;
	uint8_t chain[32];
	uint8_t body_hash[32]; /* of what chain covers; filled by encode and decode */
	uint8_t hash[32];
};
void part_trailer_free(struct part_trailer *t);
/* Encode and sign.  PARENT_CHAIN: 32 bytes, zeros without a parent.  Fills chain, hash,
 * trailer_len. */
int part_trailer_encode(struct part_trailer *t, const uint8_t store_id[16],
			const uint8_t parent_chain[32], const struct secret *host,
			struct bytes *out, struct err *e);
/* Decode T bytes; structure, hash and footer are checked, and the signature under HOST_PK. */
int part_trailer_decode(const uint8_t *p, size_t n, const uint8_t store_id[16],
			const uint8_t host_pk[32], struct part_trailer *out, struct err *e);
/* Whether t->chain is what PARENT_CHAIN (32 zero bytes without a parent) gives. */
bool part_trailer_chain_fits(const struct part_trailer *t, const uint8_t parent_chain[32]);

void summary_seal(const struct summary *s, const uint8_t list_key[32], const uint8_t hh[32],
		  uint8_t out[SUMMARY_LEN + 16]);
/* ERR_DAMAGED if it does not open. */
int summary_open(const uint8_t sealed[SUMMARY_LEN + 16], const uint8_t list_key[32],
		 const uint8_t hh[32], struct summary *out, struct err *e);

/* n rounded up by PADMÉ (section 7). */
uint64_t part_padme(uint64_t n);

/* ---- writing one part ---- */
struct part_writer;
/* Begin: writes the header into FILE (borrowed until the part is finished).  All sealing keys come
 * from FK and this header, so a header is good for one writer: never write a part number of an
 * archive a second time. */
int part_writer_open(struct store_part *file, struct part_header *h, const uint8_t fk[32],
		     struct part_writer **out, struct err *e);
/* Whether a record of CLEN bytes still fits below MAX_SEGMENTS. */
bool part_writer_fits(const struct part_writer *w, size_t clen, uint32_t max_segments);
/* Append a record; *offset is where it begins in the record stream. */
int part_writer_record(struct part_writer *w, enum record_type type, enum record_codec codec,
		       const uint8_t id[32], const uint8_t *data, size_t clen, size_t ulen,
		       uint64_t *offset, struct err *e);
/* Pad, seal the last segment, write header copy and both trailers.  T comes with the final-only
 * fields set (or final = false); segments, slots and header hash are filled here.  The file is
 * complete but not yet synced or committed. */
int part_writer_finish(struct part_writer *w, struct part_trailer *t,
		       const uint8_t parent_chain[32], const struct secret *host, struct err *e);
void part_writer_free(struct part_writer *w);

/* ---- reading one part ---- */
struct part_reader {
	struct store_file *file; /* owned */
	char name[512];		 /* for messages */
	struct part_header header;
	struct part_trailer trailer;
	bool header_degraded, trailer_degraded; /* one copy is damaged, the other served */
	bool unlocked;
	uint8_t *payload_key; /* 32 locked bytes once unlocked */
	struct bytes raw_header;
	uint8_t *segment;     /* cache of one opened segment */
	uint64_t segment_no;  /* which; UINT64_MAX none */
	uint8_t *run;	      /* cache of a few sealed ones, from the first reading on */
	uint64_t run_first, run_n;
};
/* Open NAME (a .vsa or .vsf) in STORE: find and check header, trailer, signature, length.  The
 * host grant is checked against D.  1: no such file.  ERR_DAMAGED names the file. */
int part_reader_open(struct store *store, const struct descriptor *d, const char *name,
		     struct part_reader **out, struct err *e);
/* Give it the archive's file key; checks the mac. */
int part_reader_unlock(struct part_reader *r, const uint8_t fk[32], struct err *e);
/* Read N bytes of the record stream at OFFSET; each segment is opened (authenticated) first.
 * Errors name file and segment. */
int part_reader_read(struct part_reader *r, uint64_t offset, uint8_t *out, size_t n,
		     struct err *e);
/* Bytes of the record stream. */
uint64_t part_reader_length(const struct part_reader *r);
/* Check segment I's bytes against its slot hash, without a key. */
int part_reader_check_slot(struct part_reader *r, uint32_t i, struct err *e);
void part_reader_free(struct part_reader *r);

#endif
