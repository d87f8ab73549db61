/* A temporary tree and a sink that makes a tar of what the walk sends, for test_walk.c.
 */
#ifndef WALK_FIXTURE_H
#define WALK_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/err.h"
#include "source/walk.h"

struct fixture {
	char dir[64]; /* DIR/tree is the tree, DIR/tar what was made of it */
	int tree;     /* descriptor of the tree */
	FILE *tar;
	struct bytes body;	 /* of the entry to come */
	struct bytes paths;	 /* of the entries, a newline after each */
	struct bytes notes;	 /* "KIND PATH TEXT\n" */
	uint64_t body_len, size; /* of the last regular file */
	size_t header_len;	 /* of the last entry */
	int n_drops, n_begun;
	/* called with the first body piece of each file, or before an entry (piece false)
	 */
	void (*hook)(struct fixture *f, const char *path, bool piece);
	bool first_piece;
	const char *current; /* path from begin */
	const char *known;   /* path that the sink says it has */
	bool fail;	     /* the sink's entry fails */
	bool no_python;	     /* fixture_compare leaves Python out */
	struct walk_options options;
	struct walk_totals totals;
	struct err err;
};

int fixture_setup(void **state);
int fixture_teardown(void **state);
/* Make NAME in the tree with N bytes at OFFSET of it (and nothing before). */
void fixture_file(const struct fixture *f, const char *name, size_t n, off_t offset);
/* Run a command by the shell, with DIR as its directory; fails the test unless it
 * succeeds. */
void fixture_shell(const struct fixture *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Walk the tree (or SINGLE of it) to DIR/tar. */
int fixture_walk(struct fixture *f, const char *single);
/* Extract DIR/tar with GNU tar, bsdtar and Python and compare what came out with the
 * tree. */
void fixture_compare(const struct fixture *f);
/* Whether the text is among the notes, or in the paths. */
bool fixture_noted(const struct fixture *f, const char *text);
bool fixture_has(const struct fixture *f, const char *path);

#endif
