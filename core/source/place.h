/* Putting a restored tree in place, and asking who uses a volume (DESIGN 6). */
#ifndef SOURCE_PLACE_H
#define SOURCE_PLACE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;

/* Whether the directory (or file) PATH is mounted in a mount namespace other than ours, by a scan of
 * /proc/PID/mountinfo: 1 and *pid, 0 not, -1 failed.  *PARTIAL: not every process may be looked
 * at, so 0 means only that nobody was seen. */
int place_in_use(const char *path, pid_t *pid, bool *partial, struct err *e);

/* A new tree beside the directory PATH that it will replace.
 *
 * Where PATH is not a mount point the tree lies beside it, ".volsnap-new.<base>.<inode of itself>" (the
 * name tells a crash's left-over apart: if the inode fits it is garbage, if not it is the tree that
 * was exchanged out, i.e. the previous one), and gets in place by one rename.  Where PATH is a
 * mount point it lies in PATH/.volsnap-new and children are swapped under a journal that
 * place_recover completes. */
struct place;
/* PATH need not exist (then its parent must).  Calls place_recover first.  MODE of a new
 * directory's parent is not touched. */
int place_begin(const char *path, struct place **out, struct err *e);
/* The same for PATH that is, or shall be, a single file: the new tree must get exactly one file,
 * of any name, which place_commit puts at PATH. */
int place_begin_file(const char *path, struct place **out, struct err *e);
/* Descriptor of the new tree's root; borrowed. */
int place_fd(const struct place *p);
/* The tree is complete and synced: put it in place.  KEEP_PREVIOUS: what PATH held becomes
 * place_previous(PATH); otherwise PATH must be empty or absent. */
int place_commit(struct place *p, bool keep_previous, struct err *e);
/* Removes the new tree if it was not committed. */
void place_free(struct place *p);

/* Complete or undo what a crash left at PATH.  ERR_REFUSED while another restore into it runs. */
int place_recover(const char *path, struct err *e);
/* For who is about to read PATH: complete what a crash left halfway there.  In a mount point also
 * ERR_REFUSED while a restore into it runs, since that may come to moving its children. */
int place_settle(const char *path, struct err *e);
/* Path of the previous tree: ".volsnap-previous" beside a `_data` directory or (mount point) inside
 * PATH; ".volsnap-previous.<base>" beside others.  malloc'ed. */
char *place_previous(const char *path);
/* 1: PATH holds anything, in a mount point other than our own ".volsnap-*" names and an empty
 * lost+found, or is a file; 0: empty or absent. */
int place_has_content(const char *path, struct err *e);
/* Remove the previous tree, after a recovery; 1: there is none. */
int place_discard(const char *path, struct err *e);

#endif
