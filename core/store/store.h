/* Where archives lie: named immutable files in a directory.  Names are relative ("s/...", "r/...").
 * Errors are ERR_STORE and name the file and what to do; a full disk says so. */
#ifndef STORE_STORE_H
#define STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;
struct err;
struct store;
struct store_file;
struct store_part;

#define STORE_MARKER "volsnap-store"

/* Make the directories of a new store at LOCATION (which may exist if it has no marker), without
 * the marker. */
int store_create(const char *location, struct err *e);
/* Write the marker: from now on it is a store. */
int store_mark(const char *location, const uint8_t store_id[16], struct err *e);
/* Read the marker.  1: LOCATION has none (or does not exist). */
int store_marker(const char *location, uint8_t store_id[16], struct err *e);
/* Open; the marker must be STORE_ID (NULL: any), else ERR_STORE before a byte is written. */
int store_open(const char *location, const uint8_t *store_id, struct store **out, struct err *e);
void store_free(struct store *s);
const char *store_location(const struct store *s);
const uint8_t *store_id(const struct store *s); /* 16 bytes */

/* ---- reading ---- */
/* 1: no such file. */
int store_file_open(struct store *s, const char *name, struct store_file **out, struct err *e);
uint64_t store_file_size(const struct store_file *f);
/* Exactly N bytes at AT, or ERR_DAMAGED (short) / ERR_STORE. */
int store_file_read(struct store_file *f, uint64_t at, void *buf, size_t n, struct err *e);
void store_file_free(struct store_file *f);
/* Whether E, of reading, concerns one file (damage, a bad sector, no permission) and not the
 * store as a whole. */
bool store_file_fault(const struct err *e);
/* A whole small file, at most MAX bytes, appended.  1: no such file. */
int store_get(struct store *s, const char *name, size_t max, struct bytes *out, struct err *e);
/* Call FN for each entry of directory DIR ("s", "s/host", "r"), in bytewise order; a missing
 * directory has none.  FN's nonzero return ends it and is returned. */
typedef int store_list_fn(void *ctx, const char *name, bool is_dir, uint64_t size, struct err *e);
int store_list(struct store *s, const char *dir, store_list_fn *fn, void *ctx, struct err *e);

/* ---- writing ---- */
/* A small file, durable, never replacing.  1: it is there already. */
int store_put(struct store *s, const char *name, const void *p, size_t n, struct err *e);
/* A file in tmp/, named PREFIX-<random>.part. */
int store_part_begin(struct store *s, const char *prefix, struct store_part **out, struct err *e);
int store_part_write(struct store_part *p, const void *buf, size_t n, struct err *e);
/* fsync and close; after this it can be committed. */
int store_part_sync(struct store_part *p, struct err *e);
/* Rename to NAME (its directories are made, durably), never replacing; fsync directories. */
int store_part_commit(struct store_part *p, const char *name, struct err *e);
uint64_t store_part_size(const struct store_part *p);
/* Frees; removes the temporary file if it was not committed. */
void store_part_free(struct store_part *p);
/* Remove PREFIX-*.part from tmp/ (the caller holds that stream's lock). */
int store_clean_tmp(struct store *s, const char *prefix, struct err *e);

#endif
