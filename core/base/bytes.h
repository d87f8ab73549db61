/* A growable run of bytes.  Empty is {0}; freeing an empty one is a no-op. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

struct err;

struct bytes {
	uint8_t *p;
	size_t len, cap;
};

#define BYTES_EMPTY { .p = NULL }

/* Make room for EXTRA more bytes; p may move, len stays. */
int bytes_reserve(struct bytes *b, size_t extra, struct err *e);
/* Append N bytes of P. */
int bytes_append(struct bytes *b, const void *p, size_t n, struct err *e);
/* Append N zero bytes. */
int bytes_zero(struct bytes *b, size_t n, struct err *e);
void bytes_free(struct bytes *b);

#define auto_bytes __attribute__((cleanup(bytes_free)))

#endif
