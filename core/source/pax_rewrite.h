/* Gives an entry's header blocks another path or link target: a file that is restored or exported
 * under its second name because its first is not selected. */
#ifndef SOURCE_PAX_REWRITE_H
#define SOURCE_PAX_REWRITE_H

#include <stddef.h>
#include <stdint.h>

struct bytes;
struct err;

/* Append to OUT the header blocks of HEADER (N bytes that pax_parse accepted) with PATH and TARGET
 * in place of its own; NULL keeps what is there. */
int pax_rewrite(const uint8_t *header, size_t n, const char *path, const char *target,
		struct bytes *out, struct err *e);

#endif
