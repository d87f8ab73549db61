/* The door to libzstd: one buffer in, one zstd frame out, and back (docs/format.md
 * section 7). Frames have a content size, no checksum, no dictionary, and a window of at
 * most 512 KiB. */
#ifndef ARCHIVE_CODEC_H
#define ARCHIVE_CODEC_H

#include <stddef.h>
#include <stdint.h>

struct err;

/* A compressor (LEVEL 1..9; with 0 there is none) and a decompressor.  At level 1 they
 * take about 0.75 MiB once used, at the highest below 4 MiB. */
struct codec;
struct codec *codec_new(int level, struct err *e);
void codec_free(struct codec *c);
/* Bytes that compressor and decompressor hold now. */
size_t codec_memory(const struct codec *c);

/* Compress N bytes into at most ROOM bytes at OUT.  1: they do not fit. */
int codec_squeeze(struct codec *c, const uint8_t *p, size_t n, uint8_t *out, size_t room,
		  size_t *clen, struct err *e);
/* Decompress exactly one frame of exactly CLEN bytes to exactly ULEN bytes at OUT.
 * Content size, window (at most 1 MiB) and absence of a dictionary are checked first.
 * ERR_DAMAGED. */
int codec_expand(struct codec *c, const uint8_t *data, size_t clen, uint8_t *out,
		 size_t ulen, struct err *e);

#endif
