/* What the pieces of place.h share; nobody else includes this. */
#ifndef SOURCE_PLACE_PARTS_H
#define SOURCE_PLACE_PARTS_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

#define PLACE_NAME_MAX 255

/* In the directory PATH itself where it is a mount point, else in the one that holds it.
 */
#define PLACE_MOUNT_NEW ".volsnap-new"
#define PLACE_MOUNT_PREVIOUS ".volsnap-previous"
#define PLACE_MOUNT_JOURNAL ".volsnap-journal"

enum place_kind { PLACE_SIBLING, PLACE_MOUNT, PLACE_FILE };

/* Where PATH is, links resolved. */
struct place_spot {
	enum place_kind kind;
	bool there; /* something is at PATH */
	int dir;    /* the directory of the new and the previous tree */
	char path[PATH_MAX];
	char base[PLACE_NAME_MAX + 1];	   /* of PATH in DIR; "." for a mount point */
	char previous[PLACE_NAME_MAX + 1]; /* name of the previous tree in DIR */
};

/* Close SPOT->dir in the end.  1: not even the parent is there. */
int place_spot_find(const char *path, struct place_spot *out, struct err *e);
void place_spot_close(struct place_spot *s);
/* Whether NAME is one of those that this program gives. */
bool place_spot_own(const char *name);
/* 1: NAME in DIR is there; 0: not. */
int place_spot_has(int dir, const char *name, struct err *e);

/* Lock the new tree NAME in DIR, as a running restore does with its own: 0 and *fd, which holds it
 * (-1: there is no such tree); 1: another has it. */
int place_spot_lock(int dir, const char *name, int *fd);
/* ERR_REFUSED: a restore into PATH is running. */
int place_spot_busy(const struct place_spot *s, struct err *e);

/* A rename that takes immutable and append-only flags off for the moment.  EXCHANGE: both
 * names change their places.  1: the file system cannot exchange. */
int place_move(int from, const char *name, int to, const char *as, bool exchange,
	       struct err *e);
/* Flags of a file or directory, 0 where there are none; and back. */
uint32_t place_move_unlock(int dir, const char *name);
void place_move_lock(int dir, const char *name, uint32_t flags);

/* New trees beside PATH: ".volsnap-new.BASE.INODE". */
int place_beside_begin(const struct place_spot *s, char *name, int *fd, struct err *e);
int place_beside_commit(const struct place_spot *s, const char *name, bool keep,
			struct err *e);
int place_beside_commit_file(const struct place_spot *s, const char *name, bool keep,
			     struct err *e);
int place_beside_recover(const struct place_spot *s, struct err *e);

/* New trees in PATH. */
int place_mount_begin(const struct place_spot *s, int *fd, struct err *e);
int place_mount_commit(const struct place_spot *s, bool keep, bool *begun, struct err *e);
int place_mount_recover(const struct place_spot *s, struct err *e);
int place_mount_settle(const struct place_spot *s, struct err *e);
/* 1: has children that are not ours (an empty lost+found is nobody's). */
int place_mount_has_content(int dir, struct err *e);

#endif
