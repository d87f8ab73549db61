/* Integers as they lie on disk: little-endian, varints (LEB128, at most 10 bytes, shortest form
 * only) and zigzag varints (docs/format.md, "Notation").
 *
 * Writing appends to struct bytes.  Reading goes through a cursor that never leaves its bytes: the
 * first read that does not fit makes the cursor bad, and every later read gives zeros.  Check
 * cursor_ok once at the end, or cursor_done where nothing may be left over. */
#ifndef BASE_WIRE_H
#define BASE_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;
struct err;

/* Store into fixed places. */
void wire_set16(uint8_t *p, uint16_t v);
void wire_set32(uint8_t *p, uint32_t v);
void wire_set64(uint8_t *p, uint64_t v);
uint16_t wire_get16(const uint8_t *p);
uint32_t wire_get32(const uint8_t *p);
uint64_t wire_get64(const uint8_t *p);

/* Append; -1 only when memory is short. */
int wire_put8(struct bytes *b, uint8_t v, struct err *e);
int wire_put16(struct bytes *b, uint16_t v, struct err *e);
int wire_put32(struct bytes *b, uint32_t v, struct err *e);
int wire_put64(struct bytes *b, uint64_t v, struct err *e);
int wire_put_varint(struct bytes *b, uint64_t v, struct err *e);
int wire_put_zigzag(struct bytes *b, int64_t v, struct err *e);

/* Write a varint at P (10 bytes of room); returns its length. */
size_t wire_varint(uint8_t *p, uint64_t v);

struct cursor {
	const uint8_t *p;
	size_t left;
	bool bad;
};

struct cursor cursor_make(const void *p, size_t n);
uint8_t cursor_u8(struct cursor *c);
uint16_t cursor_u16(struct cursor *c);
uint32_t cursor_u32(struct cursor *c);
uint64_t cursor_u64(struct cursor *c);
uint64_t cursor_varint(struct cursor *c);
int64_t cursor_zigzag(struct cursor *c);
/* Copy N bytes out; zeros where they do not fit. */
void cursor_copy(struct cursor *c, void *out, size_t n);
/* N bytes in place, or NULL (bad) where they do not fit. */
const uint8_t *cursor_take(struct cursor *c, size_t n);
/* N bytes that must all be zero; anything else makes the cursor bad. */
void cursor_zeros(struct cursor *c, size_t n);
bool cursor_ok(const struct cursor *c);
bool cursor_done(const struct cursor *c);

#endif
