/* What a snapshot goes on from: the tip cache of its parent, if all that it leads to may be used
 * (rule R1), and which archives are written anew (DESIGN 4.6, 4.7). */
#ifndef JOB_BASIS_H
#define JOB_BASIS_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/cache.h"

struct config_volume;
struct err;
struct host;
struct parent;
struct report;

struct basis {
	struct cache cache;
	struct cache_list tip;
	bool known;	     /* tip is there; else the snapshot is a full one */
	uint8_t options[16]; /* of the selection that is in force now */
	uint64_t *victims;
	size_t n_victims;
};
#define BASIS_EMPTY { .known = false }

/* FULL: as if there were no tip.  Why a snapshot that could go on from the tip does not is said
 * through REPORT in one line.  basis_close in any case. */
int basis_open(const struct host *h, const struct config_volume *v, const struct parent *p,
	       bool full, const struct report *report, struct basis *out, struct err *e);
void basis_close(struct basis *b);
/* The snapshot will be one of LEVEL: choose what it writes anew. */
int basis_choose_victims(struct basis *b, uint8_t level, struct err *e);

#endif
