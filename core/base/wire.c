#include "base/wire.h"

#include <string.h>

#include "base/bytes.h"

static void set_le(uint8_t *p, uint64_t v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint64_t get_le(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << (8 * i);
	return v;
}

void wire_set16(uint8_t *p, uint16_t v) { set_le(p, v, 2); }
void wire_set32(uint8_t *p, uint32_t v) { set_le(p, v, 4); }
void wire_set64(uint8_t *p, uint64_t v) { set_le(p, v, 8); }
uint16_t wire_get16(const uint8_t *p) { return (uint16_t)get_le(p, 2); }
uint32_t wire_get32(const uint8_t *p) { return (uint32_t)get_le(p, 4); }
uint64_t wire_get64(const uint8_t *p) { return get_le(p, 8); }

static int put_le(struct bytes *b, uint64_t v, size_t n, struct err *e)
{
	uint8_t raw[8];

	set_le(raw, v, n);
	return bytes_append(b, raw, n, e);
}

int wire_put8(struct bytes *b, uint8_t v, struct err *e) { return put_le(b, v, 1, e); }
int wire_put16(struct bytes *b, uint16_t v, struct err *e) { return put_le(b, v, 2, e); }
int wire_put32(struct bytes *b, uint32_t v, struct err *e) { return put_le(b, v, 4, e); }
int wire_put64(struct bytes *b, uint64_t v, struct err *e) { return put_le(b, v, 8, e); }

size_t wire_varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	while (v >= 0x80) {
		p[n++] = (uint8_t)(v | 0x80);
		v >>= 7;
	}
	p[n++] = (uint8_t)v;
	return n;
}

int wire_put_varint(struct bytes *b, uint64_t v, struct err *e)
{
	uint8_t raw[10];

	return bytes_append(b, raw, wire_varint(raw, v), e);
}

int wire_put_zigzag(struct bytes *b, int64_t v, struct err *e)
{
	uint64_t folded = ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);

	return wire_put_varint(b, folded, e);
}

struct cursor cursor_make(const void *p, size_t n)
{
	return (struct cursor){ .p = p, .left = n };
}

const uint8_t *cursor_take(struct cursor *c, size_t n)
{
	const uint8_t *p = c->p;

	if (c->bad || n > c->left) {
		c->bad = true;
		return NULL;
	}
	c->p += n;
	c->left -= n;
	return p;
}

static uint64_t cursor_le(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_take(c, n);

	return p ? get_le(p, n) : 0;
}

uint8_t cursor_u8(struct cursor *c) { return (uint8_t)cursor_le(c, 1); }
uint16_t cursor_u16(struct cursor *c) { return (uint16_t)cursor_le(c, 2); }
uint32_t cursor_u32(struct cursor *c) { return (uint32_t)cursor_le(c, 4); }
uint64_t cursor_u64(struct cursor *c) { return cursor_le(c, 8); }

uint64_t cursor_varint(struct cursor *c)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		const uint8_t *p = cursor_take(c, 1);

		if (!p)
			return 0;
		if (shift == 63 && *p > 1)
			break; /* over 64 bits */
		v |= (uint64_t)(*p & 0x7f) << shift;
		if (!(*p & 0x80)) {
			if (shift > 0 && *p == 0)
				break; /* not the shortest form */
			return v;
		}
	}
	c->bad = true;
	return 0;
}

int64_t cursor_zigzag(struct cursor *c)
{
	uint64_t v = cursor_varint(c);

	return (int64_t)((v >> 1) ^ (~(v & 1) + 1));
}

void cursor_copy(struct cursor *c, void *out, size_t n)
{
	const uint8_t *p = cursor_take(c, n);

	if (p)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

void cursor_zeros(struct cursor *c, size_t n)
{
	const uint8_t *p = cursor_take(c, n);

	for (size_t i = 0; p && i < n; i++)
		if (p[i])
			c->bad = true;
}

bool cursor_ok(const struct cursor *c)
{
	return !c->bad;
}

bool cursor_done(const struct cursor *c)
{
	return !c->bad && c->left == 0;
}
