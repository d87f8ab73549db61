/* Whether a file system's times tell that a file did not change (DESIGN 4.3). */
#ifndef SOURCE_TRUST_H
#define SOURCE_TRUST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

struct entry_stat;

/* FD lies on a local file system on disk that is known to keep times as it should.  tmpfs has no
 * writeback, so stores through a mapping never touch the times; FUSE and network file systems may
 * say anything. */
bool trust_file_system(int fd);
/* What is remembered of ST. */
void trust_stat(const struct stat *st, dev_t root_device, struct entry_stat *out);
/* Whether both times of ST lay more than WINDOW_MS before READ_AT_NS: writes through a mapping do not
 * show in them before writeback, and clocks tick in steps. */
bool trust_times(const struct stat *st, int64_t read_at_ns, uint64_t window_ms);
/* The time now, ns. */
int64_t trust_now(void);

#endif
