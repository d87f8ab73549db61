/* libarchive writes a tar through a callback that keeps the bytes.  It never sees a body:
 * after the header of an entry that has one, the writer is closed and made anew (1 us).
 * Closing wants to write zeros for the whole body; the callback refuses the first of them
 * and that ends it. (archive_write_fail would do as well, but leaks.)  Writing no data
 * makes it write the sparse map.
 *
 * It writes -1.5 seconds as "-2.5", which no other tar takes so, and cuts the name of a sparse
 * file that is long and not ASCII: both are written anew. */
#include "source/header.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/entry.h"
#include "base/err.h"
#include "source/pax_rewrite.h"

#define USTAR_NAME 100 /* longer names are in a record */

struct header {
	struct archive *a;
	struct bytes out, anew;
	bool too_large, no_memory;
	bool closing; /* nothing is kept any more */
};

static la_ssize_t collect(struct archive *a, void *ctx, const void *p, size_t n)
{
	struct header *h = ctx;
	struct err e = ERR_EMPTY;

	(void)a;
	if (h->closing)
		return -1;
	if (n > ENTRY_HEADER_MAX - h->out.len)
		h->too_large = true;
	else if (bytes_append(&h->out, p, n, &e) < 0)
		h->no_memory = true;
	return (la_ssize_t)n;
}

static void writer_close(struct header *h)
{
	if (!h->a)
		return;
	h->closing = true;
	(void)archive_write_free(h->a);
	h->closing = false;
	h->a = NULL;
}

static int writer_open(struct header *h, struct err *e)
{
	h->a = archive_write_new();
	if (!h->a)
		return err_memory(e);
	if (archive_write_set_format_pax(h->a) != ARCHIVE_OK ||
	    archive_write_set_format_option(h->a, "pax", "xattrheader", "SCHILY") !=
		    ARCHIVE_OK ||
	    archive_write_add_filter_none(h->a) != ARCHIVE_OK ||
	    archive_write_set_bytes_per_block(h->a, 0) != ARCHIVE_OK ||
	    archive_write_open(h->a, h, NULL, collect, NULL) != ARCHIVE_OK)
		return err_set(e, ERR_FAILED, "open the pax writer: %s",
			       archive_error_string(h->a));
	return 0;
}

int header_new(struct header **out, struct err *e)
{
	struct header *h = calloc(1, sizeof(*h));

	if (!h)
		return err_memory(e);
	*out = h;
	return 0;
}

void header_free(struct header *h)
{
	if (!h)
		return;
	writer_close(h);
	bytes_free(&h->out);
	bytes_free(&h->anew);
	free(h);
}

/* In POSIX the sign is the whole number's, fraction and all. */
static void time_text(time_t sec, long nsec, char *text, size_t size)
{
	int n = snprintf(text, size, "-%lld.%09ld", -(long long)(sec + 1), 1000000000 - nsec);

	while (text[n - 1] == '0')
		text[--n] = '\0';
}

/* What libarchive wrote wrongly is written anew; *P and *N are the header then. */
static int mend(struct header *h, struct archive_entry *entry, const uint8_t **p, size_t *n,
		struct err *e)
{
	const char *path = archive_entry_pathname(entry);
	struct pax_change change = { .path = NULL };
	char text[40];

	if (archive_entry_mtime(entry) < 0 && archive_entry_mtime_nsec(entry) != 0) {
		time_text(archive_entry_mtime(entry), archive_entry_mtime_nsec(entry), text,
			  sizeof(text));
		change.mtime = text;
	}
	if (path && strlen(path) > USTAR_NAME && archive_entry_sparse_count(entry) > 0)
		change.path = path;
	if (!change.mtime && !change.path)
		return 0;
	h->anew.len = 0;
	if (pax_rewrite(h->out.p, h->out.len, &change, &h->anew, e) < 0)
		return -1;
	*p = h->anew.p;
	*n = h->anew.len;
	return 0;
}

int header_make(struct header *h, struct archive_entry *entry, const uint8_t **p,
		size_t *n, const char **why, struct err *e)
{
	bool has_body = archive_entry_filetype(entry) == AE_IFREG &&
			archive_entry_size(entry) > 0;
	int r;

	if (!h->a && writer_open(h, e) < 0)
		return -1;
	h->out.len = 0;
	h->too_large = h->no_memory = false;
	r = archive_write_header(h->a, entry);
	if (r == ARCHIVE_FAILED) {
		*why = archive_error_string(h->a);
		return 1;
	}
	if (r == ARCHIVE_FATAL || (has_body && archive_write_data(h->a, "", 0) < 0))
		return err_set(e, ERR_FAILED, "make a header: %s",
			       archive_error_string(h->a));
	if (has_body)
		writer_close(h);
	if (h->no_memory)
		return err_memory(e);
	if (h->too_large) {
		*why = "its attributes are too large";
		return 1;
	}
	*p = h->out.p;
	*n = h->out.len;
	return mend(h, entry, p, n, e);
}
