/* JSON documents for --json: the one door to jansson.  Setting takes the child.  Memory that runs
 * out is noticed by json_print. */
#ifndef CLI_JSON_H
#define CLI_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json;

struct json *json_new_object(void);
struct json *json_new_array(void);
/* Text from a volume need not be UTF-8: bytes that are not become U+FFFD, and KEY_hex has all. */
void json_text(struct json *o, const char *key, const char *text);
void json_number(struct json *o, const char *key, uint64_t v);
void json_signed(struct json *o, const char *key, int64_t v);
void json_ratio(struct json *o, const char *key, double v);
void json_truth(struct json *o, const char *key, bool v);
void json_hex(struct json *o, const char *key, const uint8_t *p, size_t n);
void json_put(struct json *o, const char *key, struct json *child);
void json_add(struct json *array, struct json *child);
void json_add_text(struct json *array, const char *text);
/* A document too large to be kept: print O's members and begin KEY, an array; print its elements
 * one by one; end it, with TAIL's members (may be NULL) behind it.  Frees what it is given. */
void json_rows(struct json *o, const char *key);
void json_row(struct json *element);
void json_rows_end(struct json *tail);
/* Print on stdout with a final newline, and free. */
void json_print(struct json *o);

#endif
