/* A snapshot that a person named, found and opened for reading. */
#ifndef CLI_OPENED_H
#define CLI_OPENED_H

#include "archive/catalog.h"

struct cli;
struct err;
struct find_spec;
struct host;
struct reader;

struct opened {
	struct catalog all;
	const struct catalog_stream *stream;
	const struct snapshot *snapshot;
	struct reader *reader;
};
#define OPENED_EMPTY { .reader = NULL }
#define auto_opened __attribute__((cleanup(opened_close)))
void opened_close(struct opened *o);
/* On the host H, which is open; a reading key is asked for if there is none. */
int opened_open(struct cli *c, struct host *h, const struct find_spec *spec,
		struct opened *out, struct err *e);
/* The same from what was typed, opening H as well. */
int opened_named(struct cli *c, const char *text, struct host *h, struct opened *out,
		 struct err *e);

#endif
