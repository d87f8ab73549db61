/* What the pieces of the pax parser share; nobody else includes this. */
#ifndef SOURCE_PAX_PARTS_H
#define SOURCE_PAX_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct pax;

/* What the extended header said; it wins over the ustar header. */
struct pax_records {
	const uint8_t *path, *link, *sparse_name; /* NULL: not given */
	size_t path_len, link_len, sparse_name_len;
	bool has_size, has_uid, has_gid, has_mtime, has_major, has_minor, has_real;
	bool sparse_major, sparse_minor;
	bool has_xattr, has_acl, has_flags, has_mask;
	uint32_t mask; /* of the access ACL */
	uint64_t size, uid, gid, real_size, major, minor;
	int64_t mtime;
	uint32_t mtime_ns;
};

/* The records of an extended header: "LENGTH KEY=VALUE\n", one after the other. */
int pax_records_parse(const uint8_t *p, size_t n, struct pax_records *out, struct err *e);

/* The GNU sparse 1.0 map: fills map, n_runs, body_len; *used is what it takes with
 * padding. */
int pax_map_parse(const uint8_t *p, size_t n, struct pax *out, size_t *used,
		  struct err *e);

/* Decimal digits at *p; false where there is none, or too large.  Moves *p behind them.
 */
bool pax_map_number(const uint8_t **p, const uint8_t *end, uint64_t *out);

#endif
