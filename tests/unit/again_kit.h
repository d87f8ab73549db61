/* A volume in memory that changes from one snapshot to the next, and snapshots of it that go on from
 * each other. */
#ifndef TESTS_AGAIN_KIT_H
#define TESTS_AGAIN_KIT_H

#include "archive/cache.h"
#include "archive/tally.h"
#include "archive_kit.h"
#include "base/entry.h"

#define AGAIN_ITEMS 2000

struct item {
	char path[200];
	uint8_t *p;	   /* content */
	size_t n;
	uint64_t hint;	   /* size announced */
	size_t hole_at, hole; /* a hole of HOLE bytes before byte HOLE_AT of the content */
	struct entry_stat stat;
	size_t blocks;	   /* of its header */
	const char *link;
	bool unsettled;	   /* it may change unseen */
	bool gap;	   /* it cannot be read to its end */
};

struct volume {
	size_t n;
	struct item items[AGAIN_ITEMS]; /* in walk order */
};

/* A new file of random content, in its place; valid until the next one is added. */
struct item *volume_add(struct volume *v, const char *path, size_t n);
void volume_remove(struct volume *v, size_t i);
size_t volume_find(const struct volume *v, const char *path);
/* Small files in directories, a database, a log, a link. */
void volume_fill(struct volume *v);
/* The item of that path, which is there. */
struct item *volume_item(struct volume *v, const char *path);
/* Other times. */
void item_touch(struct item *x);
/* N random bytes at AT in place of CUT ones. */
void item_splice(struct item *x, size_t at, size_t cut, size_t n);
void volume_copy(const struct volume *v, struct volume *out);
void volume_free(struct volume *v);

/* A snapshot, and what the next one needs of it. */
struct shot {
	char name[600];
	struct writer_result result;
	struct summary summary;
	struct tally tally;
	struct cache_list list;
	size_t read; /* entries that were not known */
	uint64_t seq;
};
#define SHOT_EMPTY { .seq = 0 }

/* How it is taken; zeros: a full one. */
struct take {
	const struct shot *from; /* goes on from it */
	bool no_cache; /* its tip cache is lost */
	const uint64_t *victims;
	size_t n_victims;
	uint8_t option;	     /* of the selection */
	bool another_pass;
	uint64_t stop_after; /* bytes of new content: a checkpoint; 0: all */
	uint8_t level;
};

/* Take it; the one that it goes on from is forgotten with shot_forget. */
void again_take(const struct volume *v, const struct take *t, struct shot *out);
/* The same in steps; -1 with *e where the writer fails. */
int again_open(const struct take *t, struct writer **w, struct err *e);
/* 1: stopped by STOP_AFTER, in the middle of a body.  *READ counts entries that are not known. */
int again_send(struct writer *w, const struct volume *v, uint64_t stop_after, size_t *read,
	       struct err *e);
int again_commit(struct writer *w, const struct take *t, bool partial, struct shot *out,
		 struct err *e);
void shot_forget(struct shot *s);
/* OUT becomes S, which is forgotten without being freed. */
void shot_move(struct shot *out, struct shot *s);

/* What is read back is V, entry for entry, byte for byte. */
void again_expect(const struct volume *v, const struct shot *s);

#endif
