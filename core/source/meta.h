/* What libarchive reads of a file besides its content: stat, symbolic link, extended
 * attributes, POSIX ACLs, flags.  Numbers only, no name lookup. */
#ifndef SOURCE_META_H
#define SOURCE_META_H

#include <sys/stat.h>

struct archive_entry;
struct err;
struct meta;

struct meta_file {
	int fd;	   /* open on a regular file or directory, else -1 */
	int dirfd; /* where NAME is, if fd is -1 */
	const char *name;
	const struct stat *st;
};

int meta_new(struct meta **out, struct err *e);
void meta_free(struct meta *m);
/* An entry with what ST says, times cut to mtime; the path is the caller's to set.  Valid
 * until the next call. */
struct archive_entry *meta_plain(struct meta *m, const struct stat *st);
#define META_PROBLEM 512
/* Read all of FILE into an entry, as meta_plain.  PROBLEM is "" or what could
 * not be read or cannot be stored.  1: it is gone or has no readable link target, errno
 * says. */
int meta_read(struct meta *m, const struct meta_file *file, struct archive_entry **out,
	      char problem[META_PROBLEM], struct err *e);

#endif
