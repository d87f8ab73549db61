/* Gives an entry's header blocks another path or link target (a file that is restored or exported
 * under its second name because its first is not selected), or another time. */
#ifndef SOURCE_PAX_REWRITE_H
#define SOURCE_PAX_REWRITE_H

#include <stddef.h>
#include <stdint.h>

struct bytes;
struct err;

/* What is put in place of a header's own; NULL keeps what is there. */
struct pax_change {
	const char *path, *target, *mtime;
};

/* Append to OUT the header blocks of HEADER (N bytes, with an extended header) with CHANGE made. */
int pax_rewrite(const uint8_t *header, size_t n, const struct pax_change *change,
		struct bytes *out, struct err *e);

#endif
