/* How a snapshot is shown: one line of a table, one JSON object. */
#ifndef CLI_SNAPSHOTS_H
#define CLI_SNAPSHOTS_H

#include "archive/catalog.h"

struct bytes;
struct cli;
struct json;

/* "complete", "incomplete", "partial", "damaged", "abandoned", "needs an older key". */
const char *snapshot_word(const struct snapshot *s);
const char *grade_word(unsigned grade);
struct json *snapshot_json(const struct catalog_stream *s, const struct snapshot *x);
/* When it was taken (Unix ms). */
long long snapshot_time(const struct snapshot *x);
/* "db", or "gateway-7/db" for another host's; with the stream's id where names clash.  Static
 * buffer. */
const char *snapshots_name(const struct cli *c, const struct catalog *all,
			   const struct catalog_stream *s);
/* Say on stderr what is damaged in ONLY (NULL: in all), and PROBLEMS; the exit code. */
int snapshots_damaged(const struct cli *c, const struct catalog *all,
		      const struct catalog_stream *only, const struct bytes *problems);

#endif
