/* Whether a volume is still what the tip says: a sink for a walk that reads nothing and writes
 * nothing, and stops at the first entry that is not known. */
#ifndef ARCHIVE_PROBE_H
#define ARCHIVE_PROBE_H

#include <stdbool.h>

#include "archive/cache.h"
#include "base/entry.h"

struct err;
struct probe;
struct stream_keys;

/* All arguments are borrowed throughout. */
int probe_open(struct cache *c, const struct cache_list *tip, const struct stream_keys *keys,
	       struct probe **out, struct err *e);
void probe_free(struct probe *p);
/* Fails where an entry is not known: probe_changed says so then. */
struct entry_sink probe_sink(struct probe *p);
bool probe_changed(const struct probe *p);
/* The walk came to its end: what the tip has behind it is gone. */
void probe_finish(struct probe *p);

#endif
