/* How an entry of a snapshot is shown: one line as ls -l has it, one JSON object. */
#ifndef CLI_ENTRIES_H
#define CLI_ENTRIES_H

#include "job/linked.h"

struct cli;
struct err;
struct json;
struct reader;

/* "file", "link", ... as JSON has it. */
const char *entry_type(enum pax_type type);
/* NAME in place of its path. */
void entry_print(const struct linked_entry *en, const char *name);
struct json *entry_json(const struct linked_entry *en);

struct entries {
	linked_wanted_fn *wanted; /* NULL: all */
	void *ctx;
	/* What is printed as an entry's name; NULL: its path. */
	const char *(*name)(void *ctx, const struct pax *p);
	/* With --json: the document that "files" goes into, freed. */
	struct json *doc;
	/* Called when WANTED has seen all entries, before any is printed; may be NULL. */
	int (*after_scan)(void *ctx, struct err *e);
};
/* Print the entries of R that are wanted, as lines or, with --json, as one document. */
int entries_print(struct cli *c, struct reader *r, const struct entries *o,
		  struct err *e);

#endif
