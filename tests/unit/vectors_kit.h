/* The vectors that another implementation computed from docs/format.md: the file, its
 * values, and which of its groups were read. */
#ifndef TESTS_VECTORS_KIT_H
#define TESTS_VECTORS_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/scope.h"

struct secret;

/* 0, or -1 with a message. */
int vectors_load(void);
void vectors_drop(void);
/* Each group of the file was asked for, by vectors_cases. */
void vectors_all_read(void **state);

/* The cases of group NAME; there must be some. */
json_t *vectors_cases(const char *name);
#define each_case(name, i, v) json_array_foreach(vectors_cases(name), i, v)
/* A list within a case, which may be empty. */
json_t *list_of(json_t *v, const char *name);

/* ---- values: byte strings are hex ---- */

const char *text(json_t *v, const char *name);
uint64_t number(json_t *v, const char *name);
/* A number that JSON cannot hold, in decimal digits: as unsigned, as signed. */
uint64_t digits(json_t *v, const char *name);
int64_t signed_digits(json_t *v, const char *name);
struct bytes hex_bytes(const char *hex); /* a NUL behind them */
struct bytes bytes_of(json_t *v, const char *name);
/* Exactly N bytes. */
void copy_of(json_t *v, const char *name, void *out, size_t n);
void copy_item(json_t *list, size_t i, void *out, size_t n);
struct secret *secret_of(json_t *v, const char *name);
void string_of(json_t *v, const char *name, char *out, size_t size);
/* N bytes at GOT are the value. */
void same(json_t *v, const char *name, const void *got, size_t n);

/* ---- the tests, by what they are about ---- */

void vectors_varints(void **state);
void vectors_hashes(void **state);
void vectors_seals(void **state);
void vectors_paper(void **state);
void vectors_key_files(void **state);
void vectors_derived(void **state);
void vectors_streams(void **state);
void vectors_stream_keys(void **state);

void vectors_padme(void **state);
void vectors_file_keys(void **state);
void vectors_stanzas(void **state);
void vectors_headers(void **state);
void vectors_segments(void **state);
void vectors_summaries(void **state);
void vectors_chains(void **state);
void vectors_signatures(void **state);
void vectors_trailers(void **state);
void vectors_descriptors(void **state);

void vectors_frames(void **state);
void vectors_nodes(void **state);
void vectors_roots(void **state);

#endif
