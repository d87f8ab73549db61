/* How a snapshot is shown: one line of a table, one JSON object. */
#ifndef CLI_SNAPSHOTS_H
#define CLI_SNAPSHOTS_H

#include "archive/catalog.h"

struct json;

/* "complete", "incomplete", "partial", "damaged", "abandoned", "needs an older key". */
const char *snapshot_word(const struct snapshot *s);
const char *grade_word(unsigned grade);
struct json *snapshot_json(const struct catalog_stream *s, const struct snapshot *x);
/* When it was taken (Unix ms). */
long long snapshot_time(const struct snapshot *x);

#endif
