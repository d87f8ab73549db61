/* Header blocks for tests, by libarchive's pax writer as walk.c uses it. */
#ifndef TESTS_PAX_MAKE_H
#define TESTS_PAX_MAKE_H

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static uint8_t pax_room[2 * 1024 * 1024];

struct pax_used {
	size_t n;
	bool closing;
};

/* At the end libarchive would write zeros for the whole content: not taken, and it gives
 * up. */
static la_ssize_t pax_take(struct archive *a, void *ctx, const void *p, size_t n)
{
	struct pax_used *used = ctx;

	(void)a;
	if (used->closing || n > sizeof(pax_room) - used->n)
		return -1;
	memcpy(pax_room + used->n, p, n);
	used->n += n;
	return (la_ssize_t)n;
}

/* The header of AE at pax_room, with the sparse map if it has one; the length, 0:
 * refused. */
static size_t pax_make(struct archive_entry *ae)
{
	struct archive *a = archive_write_new();
	struct pax_used used = { .n = 0 };
	int status;

	memset(pax_room, 0, sizeof(pax_room));
	(void)archive_write_set_format_pax(a);
	(void)archive_write_set_options(a, "pax:xattrheader=SCHILY");
	(void)archive_write_set_bytes_per_block(a, 0);
	(void)archive_write_open(a, &used, NULL, pax_take, NULL);
	status = archive_write_header(a, ae);
	/* Even no content makes it write the map. */
	(void)archive_write_data(a, "", 0);
	used.closing = true;
	(void)archive_write_close(a);
	(void)archive_write_free(a);
	return status == ARCHIVE_OK || status == ARCHIVE_WARN ? used.n : 0;
}

#endif
