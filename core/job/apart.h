/* Volumes keep apart from the directories that volsnap itself writes.  A snapshot that
 * holds its own store grows without end, the files of the state change while they are
 * read, and a restore that puts another tree in place of one with the store in it moves
 * the store away. */
#ifndef JOB_APART_H
#define JOB_APART_H

#include <stddef.h>

#include "source/walk.h"

struct config;
struct config_volume;
struct err;

#define APART_BARS 2

struct apart {
	struct walk_bar
		bars[APART_BARS]; /* for the walk: it sees what paths do not tell */
	char text[APART_BARS][4200];
};

/* Whether SOURCE of V, walked with O, keeps apart from the store and the state directory,
 * which are there; fills *out and puts the bars into *o.  ERR_CONFIG says which key
 * helps. */
int apart_from_source(const struct config *c, const struct config_volume *v,
		      const char *source, struct apart *out, struct walk_options *o,
		      struct err *e);
/* Whether what is at TARGET may be moved away: ERR_REFUSED if store, state or keys lie in
 * it. */
int apart_from_target(const struct config *c, const char *target, struct err *e);

#endif
