#include "json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ours is an opaque name for jansson's value. */
static json_t *inner(struct json *o) { return (json_t *)(void *)o; }
static struct json *outer(json_t *v) { return (struct json *)(void *)v; }

struct json *json_new_object(void) { return outer(json_object()); }
struct json *json_new_array(void) { return outer(json_array()); }

static void set(struct json *o, const char *key, json_t *v)
{
	if (json_object_set_new(inner(o), key, v) < 0) {
		(void)fputs("volsnap: out of memory\n", stderr);
		exit(1);
	}
}

void json_hex(struct json *o, const char *key, const uint8_t *p, size_t n)
{
	char *hex = calloc(2 * n + 1, 1);

	for (size_t i = 0; hex && i < n; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", p[i]);
	set(o, key, hex ? json_string(hex) : NULL);
	free(hex);
}

/* Replace each byte that makes TEXT invalid by '?' until jansson takes it. */
static json_t *repaired(const char *text)
{
	size_t len = strlen(text), at = 0;
	char *out = calloc(3 * len + 1, 1);
	json_t *v;

	for (size_t i = 0; out && i < len;) {
		size_t n = 1;

		for (; n <= 4 && i + n <= len; n++) {
			v = json_stringn(text + i, n);
			json_decref(v);
			if (v)
				break;
		}
		if (n <= 4 && i + n <= len) {
			memcpy(out + at, text + i, n);
			at += n;
			i += n;
		} else {
			memcpy(out + at, "\xef\xbf\xbd", 3);
			at += 3;
			i++;
		}
	}
	v = out ? json_stringn(out, at) : NULL;
	free(out);
	return v;
}

void json_text(struct json *o, const char *key, const char *text)
{
	json_t *v = json_string(text);
	char hex_key[64];

	if (!v) {
		(void)snprintf(hex_key, sizeof(hex_key), "%s_hex", key);
		json_hex(o, hex_key, (const uint8_t *)text, strlen(text));
		v = repaired(text);
	}
	set(o, key, v);
}

void json_number(struct json *o, const char *key, uint64_t v)
{
	set(o, key, json_integer((json_int_t)v));
}

void json_signed(struct json *o, const char *key, int64_t v) { set(o, key, json_integer(v)); }
void json_ratio(struct json *o, const char *key, double v) { set(o, key, json_real(v)); }
void json_truth(struct json *o, const char *key, bool v) { set(o, key, json_boolean(v)); }
void json_put(struct json *o, const char *key, struct json *child) { set(o, key, inner(child)); }

void json_add(struct json *array, struct json *child)
{
	if (json_array_append_new(inner(array), inner(child)) < 0) {
		(void)fputs("volsnap: out of memory\n", stderr);
		exit(1);
	}
}

void json_add_text(struct json *array, const char *text)
{
	json_add(array, outer(json_string(text)));
}

void json_print(struct json *o)
{
	if (json_dumpf(inner(o), stdout, JSON_INDENT(2)) < 0)
		(void)fputs("volsnap: cannot print JSON\n", stderr);
	(void)putchar('\n');
	json_decref(inner(o));
}

/* The members of O, without its braces; whether there are any. */
static bool print_members(struct json *o)
{
	char *text = json_dumps(inner(o), JSON_INDENT(2) | JSON_EMBED);
	size_t len = text ? strlen(text) : 0;

	if (!text)
		(void)fputs("volsnap: cannot print JSON\n", stderr);
	while (len > 0 && text[len - 1] == '\n')
		len--;
	if (len > 0)
		(void)fwrite(text, 1, len, stdout);
	free(text);
	json_decref(inner(o));
	return len > 0;
}

static bool first_row;

void json_rows(struct json *o, const char *key)
{
	(void)putchar('{');
	(void)printf("%s\n  \"%s\": [", print_members(o) ? "," : "", key);
	first_row = true;
}

void json_row(struct json *element)
{
	(void)fputs(first_row ? "\n    " : ",\n    ", stdout);
	first_row = false;
	if (json_dumpf(inner(element), stdout, 0) < 0)
		(void)fputs("volsnap: cannot print JSON\n", stderr);
	json_decref(inner(element));
}

void json_rows_end(struct json *tail)
{
	(void)fputs(first_row ? "]" : "\n  ]", stdout);
	if (tail) {
		(void)putchar(',');
		(void)print_members(tail);
	}
	(void)fputs("\n}\n", stdout);
}
