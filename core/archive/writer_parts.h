/* Inside of the writer: what its files share.  writer.c opens and drains;
 * writer_body.c takes contents, writer_head.c entries; writer_stage.c finishes. */
#ifndef ARCHIVE_WRITER_PARTS_H
#define ARCHIVE_WRITER_PARTS_H

#include <stdbool.h>

#include "archive/chunker.h"
#include "archive/frame.h"
#include "archive/group.h"
#include "archive/known.h"
#include "archive/line.h"
#include "archive/tree.h"
#include "archive/usage.h"
#include "archive/window.h"
#include "archive/writer.h"

struct alike;
struct heads;
struct nodes;
struct pipeline;
struct series;

/* One of the two streams. */
struct side {
	struct frame *open; /* the frame that is being filled, or NULL */
	struct tree_builder *tree;
	struct chunks_reader *old; /* NULL: there is no tip */
	struct chunks_writer *out;
	struct line *line;
};

/* The body that is coming. */
struct coming {
	char path[ENTRY_PATH_MAX + 1];
	bool resized;	 /* not as long as the file of that path was */
	bool listed;	 /* the window has a list of its chunks from before */
	uint64_t first;	 /* number of its first chunk */
	uint64_t chunks; /* so far */
	uint32_t hits;	 /* of these in the list */
	uint8_t fingerprint[FINGERPRINT_LEN]; /* of the first */
};

/* Entries of one group of the tip that came again, all from its first on: nothing of them is in a
 * frame yet. */
struct kept {
	uint64_t group;
	uint32_t n;
};

struct writer {
	const struct stream_keys *keys;
	const char *scratch;
	struct cache *cache;
	const struct cache_list *tip; /* NULL: none */
	struct cache_list pass;	      /* what the pass before wrote: the tip of this one */
	bool distrust;		      /* no entry is known */
	uint8_t options[16];
	uint8_t (*recipients)[32];
	size_t n_recipients;

	struct series *series;
	struct pipeline *pipeline;
	struct side body, head;
	struct usage usage;
	struct nodes *nodes;
	struct heads *heads;
	struct alike *alike;
	struct window *window;
	struct known known;
	struct entries_writer *entries;
	struct cache_list next; /* the tip cache of this snapshot */

	struct chunker chunker;
	struct coming coming;
	struct group group;
	struct kept kept;
	struct cache_entry record; /* scratch */
	uint64_t pending;	   /* bytes of body that no entry has claimed */
	uint64_t n_entries, body_len;
	uint64_t reemitted, changed; /* bytes: stored, about; of content */
	enum { WRITER_OPEN, WRITER_STAGED, WRITER_COMMITTED, WRITER_BROKEN } state;
};

/* writer.c */
/* An open frame of TYPE for S, of LIMIT if it is a new one. */
int writer_frame(struct writer *w, struct side *s, enum record_type type, size_t limit,
		 struct err *e);
/* Give the open frame of S away, unless there is nothing in it. */
void writer_give(struct writer *w, struct side *s);
/* Make sure that S's line can take what comes; no chunk is open in S's frame. */
int writer_room(struct writer *w, struct side *s, struct err *e);

/* All that is open or given becomes records, all lines empty, and the lists of segments whole. */
int writer_pass_finish(struct writer *w, struct cache_segs out[CACHE_KINDS], struct err *e);

/* writer_body.c */
int writer_body_begin(struct writer *w, const struct entry_hint *hint, struct err *e);
int writer_body_bytes(struct writer *w, uint64_t offset, const uint8_t *p, size_t n,
		      struct err *e);
int writer_body_end(struct writer *w, struct err *e);

/* writer_head.c */
int writer_head_known(struct writer *w, const struct entry_hint *hint, struct err *e);
int writer_head_entry(struct writer *w, const struct entry *en, struct err *e);
int writer_head_gap(struct writer *w, struct err *e);
/* What is open ends here. */
int writer_head_close(struct writer *w, struct err *e);

#endif
