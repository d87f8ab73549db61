#include "source/trust.h"

#include <string.h>
#include <sys/vfs.h>
#include <time.h>

#include "base/entry.h"

/* Magic numbers from statfs(2); f2fs, bcachefs and zfs are not in every linux/magic.h. */
static const uint32_t trusted[] = {
	0xef53,	    /* ext2, ext3, ext4 */
	0x58465342, /* xfs */
	0x9123683e, /* btrfs */
	0xf2f52010, /* f2fs */
	0xca451a4e, /* bcachefs */
	0x2fc12fc1, /* zfs */
	0x3153464a, /* jfs */
	0x3434,	    /* nilfs2 */
};

bool trust_file_system(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < sizeof(trusted) / sizeof(trusted[0]); i++)
		if ((uint32_t)fs.f_type == trusted[i])
			return true;
	return false;
}

void trust_stat(const struct stat *st, dev_t root_device, struct entry_stat *out)
{
	*out = (struct entry_stat){ .ino = st->st_ino,
				    .size = S_ISDIR(st->st_mode) ? 0 : (uint64_t)st->st_size,
				    .rdev = st->st_rdev,
				    .mode = st->st_mode,
				    .uid = st->st_uid,
				    .gid = st->st_gid,
				    .mtime = st->st_mtim.tv_sec,
				    .mtime_ns = (uint32_t)st->st_mtim.tv_nsec,
				    .ctime = st->st_ctim.tv_sec,
				    .ctime_ns = (uint32_t)st->st_ctim.tv_nsec,
				    .root_device = st->st_dev == root_device };
}

int64_t trust_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static bool is_before(struct timespec t, int64_t limit_ns)
{
	int64_t s = limit_ns / 1000000000, ns = limit_ns % 1000000000;

	return t.tv_sec < s || (t.tv_sec == s && t.tv_nsec < ns);
}

bool trust_times(const struct stat *st, int64_t read_at_ns, uint64_t window_ms)
{
	int64_t limit;

	if (window_ms > INT64_MAX / 1000000 ||
	    __builtin_sub_overflow(read_at_ns, (int64_t)window_ms * 1000000, &limit) || limit < 0)
		return false;
	return is_before(st->st_mtim, limit) && is_before(st->st_ctim, limit);
}
