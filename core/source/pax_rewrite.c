/* The records of the extended header are copied but for the ones replaced, which are written anew
 * at its end; the ustar header stays, since pax records win over its fields (POSIX.1-2001, pax). */
#include "source/pax_rewrite.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/err.h"

#define BLOCK 512

/* Length of a record "LEN KEY=VALUE\n" that counts its own digits. */
static size_t record_len(const char *key, const char *value)
{
	size_t body = strlen(key) + strlen(value) + 3, len = body + 1;

	while (len != body + (size_t)snprintf(NULL, 0, "%zu", len))
		len = body + (size_t)snprintf(NULL, 0, "%zu", len);
	return len;
}

static int put_record(struct bytes *out, const char *key, const char *value, struct err *e)
{
	char head[64];
	int n = snprintf(head, sizeof(head), "%zu %s=", record_len(key, value), key);

	if (bytes_append(out, head, (size_t)n, e) < 0 ||
	    bytes_append(out, value, strlen(value), e) < 0)
		return -1;
	return bytes_append(out, "\n", 1, e);
}

static bool key_is(const uint8_t *record, size_t n, const char *key)
{
	const uint8_t *blank = memchr(record, ' ', n);
	size_t len = strlen(key);

	return blank && (size_t)(record + n - blank) > len + 1 &&
	       memcmp(blank + 1, key, len) == 0 && blank[1 + len] == '=';
}

static bool replaced(const uint8_t *record, size_t n, const struct pax_change *change)
{
	return (change->path &&
		(key_is(record, n, "path") || key_is(record, n, "GNU.sparse.name"))) ||
	       (change->target && key_is(record, n, "linkpath")) ||
	       (change->mtime && key_is(record, n, "mtime"));
}

static int copy_records(const uint8_t *p, size_t n, const struct pax_change *change,
			struct bytes *out, bool *sparse, struct err *e)
{
	for (size_t at = 0; at < n;) {
		size_t len = 0, i = at;

		while (i < n && p[i] >= '0' && p[i] <= '9' && len < n)
			len = len * 10 + (size_t)(p[i++] - '0');
		if (len == 0 || len > n - at)
			return err_set(e, ERR_DAMAGED, "bad record in a pax header");
		*sparse |= key_is(p + at, len, "GNU.sparse.name");
		if (!replaced(p + at, len, change) &&
		    bytes_append(out, p + at, len, e) < 0)
			return -1;
		at += len;
	}
	return 0;
}

static size_t octal(const uint8_t *p, size_t n)
{
	size_t v = 0;

	for (size_t i = 0; i < n && p[i] >= '0' && p[i] <= '7'; i++)
		v = v * 8 + (size_t)(p[i] - '0');
	return v;
}

static void set_size(uint8_t block[BLOCK], size_t size)
{
	char text[13];
	unsigned sum = 0;

	(void)snprintf(text, sizeof(text), "%011zo", size);
	memcpy(block + 124, text, 12);
	memset(block + 148, ' ', 8);
	for (size_t i = 0; i < BLOCK; i++)
		sum += block[i];
	(void)snprintf(text, sizeof(text), "%06o", sum & 0777777);
	memcpy(block + 148, text, 7);
}

static int put_records(const struct pax_change *change, bool sparse, struct bytes *out,
		       struct err *e)
{
	if (change->path &&
	    put_record(out, sparse ? "GNU.sparse.name" : "path", change->path, e) < 0)
		return -1;
	if (change->target && put_record(out, "linkpath", change->target, e) < 0)
		return -1;
	return change->mtime ? put_record(out, "mtime", change->mtime, e) : 0;
}

int pax_rewrite(const uint8_t *header, size_t n, const struct pax_change *change,
		struct bytes *out, struct err *e)
{
	auto_bytes struct bytes records = BYTES_EMPTY;
	size_t size, padded;
	bool sparse = false;
	uint8_t block[BLOCK];

	if (n < 2 * BLOCK || header[156] != 'x')
		return err_set(e, ERR_DAMAGED, "an entry without an extended header");
	size = octal(header + 124, 12);
	padded = (size + BLOCK - 1) / BLOCK * BLOCK;
	if (size > n || padded > n - 2 * BLOCK)
		return err_set(e, ERR_DAMAGED, "bad size of a pax header");
	if (copy_records(header + BLOCK, size, change, &records, &sparse, e) < 0 ||
	    put_records(change, sparse, &records, e) < 0)
		return -1;
	memcpy(block, header, BLOCK);
	set_size(block, records.len);
	if (bytes_append(out, block, BLOCK, e) < 0 ||
	    bytes_append(out, records.p, records.len, e) < 0 ||
	    bytes_zero(out, (BLOCK - records.len % BLOCK) % BLOCK, e) < 0)
		return -1;
	return bytes_append(out, header + BLOCK + padded, n - BLOCK - padded, e);
}
