/* Data runs are what lies between the holes of the map.  A file that ends sooner than its
 * size said is cut to what was read and never padded; one that grew is read up to its
 * first size. */
#include "source/body.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/entry.h"
#include "base/file.h"
#include "base/report.h"

#define PROGRESS_STEP (1024 * 1024)

static int failed(struct body *b, const char *call, int sys)
{
	b->call = call;
	b->sys = sys;
	return 1;
}

static int open_quietly(int dirfd, const char *name)
{
	int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int fd = openat(dirfd, name, flags | O_NOATIME);

	return fd < 0 && errno == EPERM ? openat(dirfd, name, flags) : fd;
}

int body_open(struct body *b, int dirfd, const char *name, const struct stat *seen)
{
	b->sent = 0;
	b->changed = false;
	b->holes.n = 0;
	b->fd = open_quietly(dirfd, name);
	if (b->fd < 0) /* ENXIO: a socket is in its place */
		return failed(b, "open", errno == ENXIO ? ENOENT : errno);
	if (fstat(b->fd, &b->st) < 0)
		return failed(b, "fstat", errno);
	if (!S_ISREG(b->st.st_mode) || b->st.st_ino != seen->st_ino ||
	    b->st.st_dev != seen->st_dev)
		return failed(b, "open", ENOENT);
	return 0;
}

void body_close(struct body *b)
{
	if (b->fd >= 0)
		(void)close(b->fd);
	b->fd = -1;
}

bool body_run(const struct body *b, size_t *hole, uint64_t *at, uint64_t *length)
{
	uint64_t size = (uint64_t)b->st.st_size;
	uint64_t end;

	if (*hole < b->holes.n && b->holes.list[*hole].start <= *at)
		*at = b->holes.list[(*hole)++].end;
	if (*at >= size)
		return false;
	end = *hole < b->holes.n ? b->holes.list[*hole].start : size;
	*length = (end < size ? end : size) - *at;
	return true;
}

/* Read one run; cuts the file where it ends early. */
static int read_run(struct body *b, uint64_t at, uint64_t length,
		    const struct entry_sink *sink, const struct report *report,
		    struct progress *progress, struct err *e)
{
	while (length > 0) {
		size_t want = length < BODY_PIECE ? (size_t)length : BODY_PIECE;
		ssize_t got = file_pread(b->fd, b->piece, want, (off_t)at);

		if (got < 0)
			return failed(b, "read", errno);
		if (got > 0 && sink->body(sink->ctx, at, b->piece, (size_t)got, e) < 0)
			return -1;
		b->sent += (uint64_t)got;
		at += (uint64_t)got;
		length -= (uint64_t)got;
		progress->bytes += (uint64_t)got;
		if (progress->bytes % PROGRESS_STEP < (uint64_t)got)
			report_progress(report, progress);
		if ((size_t)got < want) {
			b->st.st_size = (off_t)at;
			b->changed = true;
			return 0;
		}
	}
	return 0;
}

static bool same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int body_read(struct body *b, const struct entry_sink *sink, const struct report *report,
	      struct progress *progress, struct err *e)
{
	off_t size = b->st.st_size;
	struct stat after;
	size_t hole = 0;
	uint64_t at = 0;
	uint64_t length;

	if ((uint64_t)b->st.st_blocks * 512 < (uint64_t)size &&
	    holes_map(b->fd, (uint64_t)size, &b->holes) < 0)
		return failed(b, "lseek", errno);
	while (body_run(b, &hole, &at, &length)) {
		int r = read_run(b, at, length, sink, report, progress, e);

		if (r != 0)
			return r;
		at += length;
	}
	if (fstat(b->fd, &after) < 0)
		return failed(b, "fstat", errno);
	if (after.st_size != size || !same_time(after.st_mtim, b->st.st_mtim) ||
	    !same_time(after.st_ctim, b->st.st_ctim))
		b->changed = true;
	return 0;
}
