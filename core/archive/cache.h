/* The tip cache on disk: what the newest snapshot of a stream consists of, so that the next one needs
 * neither the store nor a reading key to go on from it (DESIGN 4.3; docs/design.md, "The tip cache").
 *
 * Directory STATE/<kind>-<name>/cache/:
 *
 *     list-<archive id>     which segments, in order; dependencies; authenticated
 *     <32 hex digits>       a segment, named by the keyed hash of its bytes, never changed
 *     h-<seq>-<part>-<at>   a HEAD frame as it lies in the store, before sealing
 *
 * Segments of four kinds: entries in walk order, chunks of the body stream, chunks of the head
 * stream (groups), nodes of both trees.  A segment whose bytes did not change is the same file for
 * the next snapshot.  Nothing here is needed to restore: whatever does not fit is as good as lost,
 * and costs one full snapshot. */
#ifndef ARCHIVE_CACHE_H
#define ARCHIVE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/part.h"
#include "base/bytes.h"

struct err;

#define CACHE_SEGMENT_MAX (192u << 10) /* bytes of a segment */
#define CACHE_RECIPIENTS 64

enum cache_kind { CACHE_ENTRIES, CACHE_BODY, CACHE_HEAD, CACHE_NODES, CACHE_KINDS };

struct cache_seg {
	uint8_t name[16];
	uint32_t units; /* entries, chunks or nodes in it */
};

struct cache_segs {
	size_t n, room;
	struct cache_seg *list;
	uint64_t units; /* in all */
};

/* An archive that the tip's trees reach, the tip's own (the last of the list) included. */
struct cache_dep {
	struct archive_id archive;
	uint64_t live; /* of its stored bytes, how many the tip's trees refer to */
	uint64_t size; /* its new bytes */
	uint8_t level;
};

/* What list-<archive id> says. */
struct cache_list {
	struct archive_id archive;
	uint8_t options[16]; /* of the selection; opaque here */
	size_t n_recipients;
	uint8_t (*recipients)[32]; /* public keys it was sealed to */
	size_t n_deps;
	struct cache_dep *deps; /* ascending by sequence number */
	struct cache_segs segs[CACHE_KINDS];
};
#define CACHE_LIST_EMPTY { .n_deps = 0 }
void cache_list_free(struct cache_list *l);

/* The open directory and its key. */
struct cache {
	int dirfd; /* owned */
	uint8_t *key; /* 32 locked bytes */
	bool broken; /* something of it did not fit: go on without it */
};
/* Open (make, 0700) the directory "cache" in STATE_FD.  cache_close in any case. */
int cache_open(int state_fd, const struct secret *host, const uint8_t stream_id[16],
	       struct cache *out, struct err *e);
void cache_close(struct cache *c);

/* Save N bytes (1..CACHE_SEGMENT_MAX) as a segment of KIND, unless it is there. */
int cache_save(struct cache *c, enum cache_kind kind, const uint8_t *p, size_t n,
	       struct cache_seg *out, struct err *e);
/* Load a segment into P (CACHE_SEGMENT_MAX of room).  -1 with c->broken set where it is missing or
 * not what its name says; it is removed then. */
int cache_load(struct cache *c, enum cache_kind kind, const struct cache_seg *s, uint8_t *p,
	       size_t *n, struct err *e);
int cache_segs_add(struct cache_segs *s, const struct cache_seg *one, struct err *e);
/* What does not fit in the cache: sets c->broken, returns -1. */
int cache_broken(struct cache *c, const char *why, struct err *e);

/* Save the list of L->archive, durably, and with it all that it names. */
int cache_list_save(struct cache *c, const struct cache_list *l, struct err *e);
/* 1: there is no list of that archive, or it does not fit (*why, static text, says which). */
int cache_list_load(struct cache *c, const struct archive_id *a, struct cache_list *out,
		    const char **why, struct err *e);
/* Remove every file that neither L names nor KEEP_HEAD (a name h-...) wants kept. */
int cache_sweep(struct cache *c, const struct cache_list *l,
		bool (*keep_head)(void *ctx, const char *name), void *ctx, struct err *e);

#endif
