/* Header blocks for tests, by libarchive's pax writer as walk.c uses it. */
#ifndef TESTS_PAX_MAKE_H
#define TESTS_PAX_MAKE_H

#include <archive.h>
#include <archive_entry.h>
#include <stdint.h>
#include <string.h>

static uint8_t pax_room[2 * 1024 * 1024];

/* The header of AE at pax_room, with the sparse map if it has one; the length, 0: refused. */
static size_t pax_make(struct archive_entry *ae)
{
	struct archive *a = archive_write_new();
	bool sparse = archive_entry_sparse_reset(ae) > 0;
	size_t used = 0, whole;
	int status;

	memset(pax_room, 0, sizeof(pax_room));
	(void)archive_write_set_format_pax(a);
	(void)archive_write_set_options(a, "pax:xattrheader=SCHILY");
	(void)archive_write_set_bytes_per_block(a, 0);
	(void)archive_write_open_memory(a, pax_room, sizeof(pax_room), &used);
	status = archive_write_header(a, ae);
	whole = used;
	/* The map is written with the first byte of content. */
	if (sparse && archive_write_data(a, "x", 1) >= 0)
		whole = used / 512 * 512;
	(void)archive_write_fail(a);
	(void)archive_write_free(a);
	return status == ARCHIVE_OK || status == ARCHIVE_WARN ? whole : 0;
}

#endif
