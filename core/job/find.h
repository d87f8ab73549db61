/* From what a person typed to a snapshot in the store:
 *
 *     [HOST/]NAME[.SSSSSSSS][@WHICH]
 */
#ifndef JOB_FIND_H
#define JOB_FIND_H

#include <stdbool.h>

#include "archive/catalog.h"

struct err;
struct host;

struct find_spec {
	char host[LABEL_MAX + 1];	/* "": this host */
	char name[VOLUME_NAME_MAX + 1];
	char which[128];		/* "": none given */
	bool damaged;			/* a damaged one will do, if it is named by number or id */
};
/* ERR_USAGE if it cannot be one. */
int find_parse(const char *text, struct find_spec *out, struct err *e);

/* The stream that NAME means (DESIGN 4.6): on the host whose state is on a stream of that name,
 * that one; elsewhere the one stream of that host and name that is nobody's predecessor.  Several:
 * ERR_REFUSED and the sentence lists them as NAME.SSSSSSSS.  1: there is none (*e is filled with an
 * ERR_NOT_FOUND sentence all the same). */
int find_stream(const struct host *h, const struct catalog *c, const struct find_spec *spec,
		const struct catalog_stream **out, struct err *e);

/* Whether this host's state knows a committed snapshot of NAME. */
bool find_known(const struct host *h, const char *name);

/* Load the catalog for SPEC and resolve it; WHICH "" is "latest".  The snapshot points into *c. */
int find_snapshot(const struct host *h, const struct find_spec *spec, struct catalog *c,
		  const struct catalog_stream **stream, const struct snapshot **out,
		  struct err *e);

#endif
