#include "vectors_kit.h"

#include <errno.h>

#include "archive/crypto.h"
#include "archive/key.h"
#include "base/file.h"

#define VECTORS "tests/vectors/v1/primitives.json"

static json_t *all;
static json_t *groups_read; /* a key for each */

/* Tests run from the top of the tree; from elsewhere VOLSNAP_TOP names it. */
int vectors_load(void)
{
	const char *top = getenv("VOLSNAP_TOP");
	auto_free char *path = file_join(top ? top : ".", VECTORS);
	json_error_t why;

	if (!path)
		return -1;
	groups_read = json_object();
	all = json_load_file(path, 0, &why);
	if (!all)
		print_error("%s: %s\n", path, why.text);
	return all && groups_read ? 0 : -1;
}

void vectors_drop(void)
{
	json_decref(all);
	json_decref(groups_read);
}

json_t *vectors_cases(const char *name)
{
	json_t *list = json_object_get(all, name);

	if (json_array_size(list) == 0)
		fail_msg("no vectors %s", name);
	(void)json_object_set_new(groups_read, name, json_true());
	return list;
}

void vectors_all_read(void **state)
{
	const char *name;
	json_t *list;
	size_t groups = 0;

	(void)state;
	json_object_foreach(all, name, list)
	{
		if (!json_is_array(list))
			continue; /* what the file says of itself */
		groups++;
		if (!json_object_get(groups_read, name))
			fail_msg("no test reads the vectors %s", name);
	}
	assert_int_equal(groups, json_object_size(groups_read));
}

json_t *list_of(json_t *v, const char *name)
{
	json_t *list = json_object_get(v, name);

	if (!json_is_array(list))
		fail_msg("no list %s", name);
	return list;
}

const char *text(json_t *v, const char *name)
{
	const char *s = json_string_value(json_object_get(v, name));

	if (!s)
		fail_msg("no text %s", name);
	return s;
}

uint64_t number(json_t *v, const char *name)
{
	json_t *n = json_object_get(v, name);

	if (!json_is_integer(n))
		fail_msg("no number %s", name);
	return (uint64_t)json_integer_value(n);
}

uint64_t digits(json_t *v, const char *name)
{
	uint64_t n;

	errno = 0;
	n = strtoull(text(v, name), NULL, 10);
	assert_int_equal(errno, 0);
	return n;
}

int64_t signed_digits(json_t *v, const char *name)
{
	int64_t n;

	errno = 0;
	n = strtoll(text(v, name), NULL, 10);
	assert_int_equal(errno, 0);
	return n;
}

struct bytes hex_bytes(const char *hex)
{
	struct bytes b = BYTES_EMPTY;
	struct err e = ERR_EMPTY;
	size_t n = strlen(hex) / 2;

	assert_int_equal(bytes_zero(&b, n + 1, &e), 0);
	b.len = n;
	assert_true(crypto_unhex(hex, b.p, n));
	return b;
}

struct bytes bytes_of(json_t *v, const char *name) { return hex_bytes(text(v, name)); }

static void copy_hex(const char *hex, void *out, size_t n)
{
	auto_bytes struct bytes b = hex_bytes(hex);

	assert_int_equal(b.len, n);
	memcpy(out, b.p, n);
}

void copy_of(json_t *v, const char *name, void *out, size_t n)
{
	copy_hex(text(v, name), out, n);
}

void copy_item(json_t *list, size_t i, void *out, size_t n)
{
	copy_hex(json_string_value(json_array_get(list, i)), out, n);
}

struct secret *secret_of(json_t *v, const char *name)
{
	struct err e = ERR_EMPTY;
	struct secret *s = secret_new(&e);

	assert_non_null(s);
	copy_of(v, name, s->b, sizeof(s->b));
	return s;
}

void string_of(json_t *v, const char *name, char *out, size_t size)
{
	auto_bytes struct bytes b = bytes_of(v, name);

	assert_true(b.len < size);
	memcpy(out, b.p, b.len + 1);
}

void same(json_t *v, const char *name, const void *got, size_t n)
{
	auto_bytes struct bytes want = bytes_of(v, name);

	assert_int_equal(want.len, n);
	assert_memory_equal(want.p, got, n);
}
