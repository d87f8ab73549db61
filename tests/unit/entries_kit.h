/* Entries of the tip cache, made up. */
#ifndef TESTS_ENTRIES_KIT_H
#define TESTS_ENTRIES_KIT_H

#include "archive/cache_entries.h"
#include "archive_kit.h"

/* A path of at most MOST bytes, of few different bytes, so that many share beginnings. */
void random_path(char *out, size_t most);
struct entry_stat random_stat(void);
/* A whole entry with that path. */
void random_entry(struct cache_entry *x, const char *path);
/* N different paths in walk order; malloc'ed. */
char (*random_paths(size_t n, size_t most))[256];
/* The entries of LIST in segments; cut behind those that end a group. */
struct cache_segs entries_write(const struct cache_entry *list, size_t n);
void expect_entry(const struct cache_entry *a, const struct cache_entry *b);

#endif
