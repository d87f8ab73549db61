/* The journey back: store -> entries -> a directory, put in place by one rename (DESIGN 6). */
#ifndef JOB_RESTORE_H
#define JOB_RESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/part.h"
#include "archive/root.h"
#include "job/find.h"
#include "source/extract.h"

struct config;
struct err;
struct host_options;
struct report;

struct restore_options {
	struct find_spec spec;
	const char *to;		   /* --to DIR */
	const char *as;		   /* --as VOLUME */
	const char *const *paths;  /* --path SUB... */
	size_t n_paths;
	bool if_empty, replace, devices, dry_run;
	bool salvage; /* what can be read of a damaged snapshot */
	const struct host_options *keys;
	const struct report *report;
};

enum restore_end {
	RESTORE_DONE,
	RESTORE_NOT_EMPTY, /* --if-empty: the target has content and was left alone */
	RESTORE_FIRST,	   /* --if-empty: a first installation, nothing to restore */
	RESTORE_DRY,
};

struct restore_outcome {
	enum restore_end end;
	char target[4096];
	struct archive_id archive;
	struct totals snapshot;	       /* of the snapshot */
	struct extract_totals restored; /* restored.problems > 0: not in full */
	bool incomplete;	       /* the snapshot itself */
	uint64_t lost;		       /* entries that could not be read, or their content not;
					  each with a name was reported */
	bool kept_previous;
	uint64_t elapsed_ms;
};

/* -1: the target is as it was. */
int job_restore(const struct config *c, const struct restore_options *o,
		struct restore_outcome *out, struct err *e);

/* Where NAME is restored to, malloc'ed: the bind's path, the configured volume's directory, or
 * VOLUMES_DIR/NAME/_data.  NULL when memory is short. */
char *restore_target(const struct config *c, const char *name);
/* Delete the tree that --replace kept; 1: there is none. */
int restore_discard(const struct config *c, const char *name, struct err *e);

#endif
