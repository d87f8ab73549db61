/* The only file that knows zstd.
 *
 * Everything is one-shot between whole buffers, so neither side keeps a window of its
 * own: a context is its tables.  Those are clamped to what a frame of 512 KiB can use.
 * One-shot decoding ignores zstd's own window limit, so the frame's header is read here
 * first. */
#include "archive/codec.h"

#include <stdbool.h>
#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/err.h"
#include "base/wire.h"

#define WINDOW_LOG 19	      /* 512 KiB: a frame */
#define TABLE_LOG 18	      /* of hash and chain, from level 5 on */
#define WINDOW_MAX (1u << 20) /* what a reader takes */
#define ZSTD_MAGIC 0xFD2FB528u

struct codec {
	ZSTD_CCtx *c; /* NULL at level 0 */
	ZSTD_DCtx *d;
};

static bool set(ZSTD_CCtx *c, ZSTD_cParameter what, int value)
{
	return !ZSTD_isError(ZSTD_CCtx_setParameter(c, what, value));
}

static bool compressor_set(ZSTD_CCtx *c, int level)
{
	if (!set(c, ZSTD_c_compressionLevel, level) ||
	    !set(c, ZSTD_c_windowLog, WINDOW_LOG) || !set(c, ZSTD_c_contentSizeFlag, 1) ||
	    !set(c, ZSTD_c_checksumFlag, 0) || !set(c, ZSTD_c_dictIDFlag, 0))
		return false;
	return level < 5 ||
	       (set(c, ZSTD_c_hashLog, TABLE_LOG) && set(c, ZSTD_c_chainLog, TABLE_LOG));
}

struct codec *codec_new(int level, struct err *e)
{
	struct codec *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)err_memory(e);
		return NULL;
	}
	c->d = ZSTD_createDCtx();
	c->c = level > 0 ? ZSTD_createCCtx() : NULL;
	if (!c->d || (level > 0 && !c->c)) {
		(void)err_memory(e);
		codec_free(c);
		return NULL;
	}
	if (level > 0 && !compressor_set(c->c, level)) {
		(void)err_set(e, ERR_FAILED, "zstd does not take level %d", level);
		codec_free(c);
		return NULL;
	}
	return c;
}

void codec_free(struct codec *c)
{
	if (!c)
		return;
	(void)ZSTD_freeCCtx(c->c);
	(void)ZSTD_freeDCtx(c->d);
	free(c);
}

size_t codec_memory(const struct codec *c)
{
	return ZSTD_sizeof_CCtx(c->c) + ZSTD_sizeof_DCtx(c->d);
}

int codec_squeeze(struct codec *c, const uint8_t *p, size_t n, uint8_t *out, size_t room,
		  size_t *clen, struct err *e)
{
	size_t got;

	if (!c->c)
		return 1;
	got = ZSTD_compress2(c->c, out, room, p, n);
	if (!ZSTD_isError(got)) {
		*clen = got;
		return 0;
	}
	if (ZSTD_getErrorCode(got) == ZSTD_error_dstSize_tooSmall)
		return 1;
	if (ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
		return err_memory(e);
	return err_set(e, ERR_FAILED, "compressor fault: %s", ZSTD_getErrorName(got));
}

/* Content size as RFC 8878 3.1.1.1 has it: 0, 1, 2, 4 or 8 bytes. */
static uint64_t content_size(struct cursor *c, unsigned flag, bool single)
{
	switch (flag) {
	case 0:
		return single ? cursor_u8(c) : 0;
	case 1:
		return cursor_u16(c) + 256u;
	case 2:
		return cursor_u32(c);
	default:
		return cursor_u64(c);
	}
}

/* Whether the frame that begins here has this content size, a small window, no
 * dictionary and no checksum: ids cover the content, so it would add nothing but a
 * second form. */
static bool header_fits(const uint8_t *data, size_t clen, size_t ulen)
{
	struct cursor c = cursor_make(data, clen);
	uint32_t magic = cursor_u32(&c);
	uint8_t flags = cursor_u8(&c);
	bool single = flags & 0x20;
	uint64_t window = ulen;

	if (!single) {
		uint8_t w = cursor_u8(&c);

		window = (uint64_t)(8 + (w & 7)) << ((w >> 3) + 7);
	}
	if ((flags & 7) || (single == 0 && (flags >> 6) == 0))
		return false; /* a dictionary, a checksum; no content size */
	return content_size(&c, flags >> 6, single) == ulen && cursor_ok(&c) &&
	       magic == ZSTD_MAGIC && window <= WINDOW_MAX;
}

int codec_expand(struct codec *c, const uint8_t *data, size_t clen, uint8_t *out,
		 size_t ulen, struct err *e)
{
	size_t got;

	if (!header_fits(data, clen, ulen))
		return err_set(e, ERR_DAMAGED,
			       "compressed data has not the size it says");
	if (ZSTD_findFrameCompressedSize(data, clen) != clen)
		return err_set(e, ERR_DAMAGED, "compressed data is not one whole frame");
	got = ZSTD_decompressDCtx(c->d, out, ulen, data, clen);
	if (ZSTD_isError(got) && ZSTD_getErrorCode(got) == ZSTD_error_memory_allocation)
		return err_memory(e);
	if (got != ulen)
		return err_set(e, ERR_DAMAGED, "compressed data does not decode");
	return 0;
}
