/* Files: whole reads and writes, durable replacement, small helpers over directory descriptors.
 * Every descriptor is opened O_CLOEXEC.  Errors name the file. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct bytes;
struct err;

/* Read until N bytes or end of file; returns the count, or -1 with errno set.  Retries EINTR. */
ssize_t file_read(int fd, void *buf, size_t n);
ssize_t file_pread(int fd, void *buf, size_t n, off_t at);
/* Write all N bytes; 0 or -1 with errno set. */
int file_write(int fd, const void *buf, size_t n);
int file_pwrite(int fd, const void *buf, size_t n, off_t at);

/* Append the whole regular file NAME under DIRFD (AT_FDCWD allowed) to *out; refuses one over MAX
 * bytes and anything that is not a regular file.  Returns 1 if there is no such file. */
int file_load(int dirfd, const char *name, size_t max, struct bytes *out, struct err *e);

/* Put N bytes at NAME under DIRFD so that a crash leaves the old or the new file: written beside as
 * ".NAME.tmp-<random>", mode MODE from creation whatever the umask, fsynced, renamed, directory
 * fsynced.  REPLACE false: returns 1 and changes nothing if NAME is there. */
int file_save(int dirfd, const char *name, const void *p, size_t n, mode_t mode, bool replace,
	      struct err *e);

/* fsync a directory. */
int file_sync_dir(int dirfd, const char *name, struct err *e);

/* Open a directory, not following a final symbolic link when NOFOLLOW.  -1 with *e filled. */
int file_open_dir(int dirfd, const char *name, bool nofollow, struct err *e);

/* mkdir -p PATH with MODE for what it makes; each new directory's parent is fsynced. */
int file_make_dirs(const char *path, mode_t mode, struct err *e);

/* Remove NAME under DIRFD and all below it, never following links nor crossing to another file
 * system.  Clears immutable and append-only flags in its way.  Missing is success. */
int file_remove_tree(int dirfd, const char *name, struct err *e);

/* 1 if the directory has any entry but "." and ".." (and but EXCEPT, where not NULL), 0 if not. */
int file_dir_has_entries(int dirfd, const char *except, struct err *e);

/* malloc'ed "A/B"; NULL when memory is short. */
char *file_join(const char *a, const char *b);

/* Let this process open as many files as it may at all (RLIMIT_NOFILE: soft up to hard); returns how
 * many. */
uint64_t file_raise_limit(void);

/* An unlinked temporary file in directory DIR (O_TMPFILE, or made and unlinked). */
int file_temp(const char *dir, struct err *e);

#endif
