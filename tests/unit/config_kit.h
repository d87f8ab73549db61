/* What test_config.c and test_config_text.c share: a main file and a conf.d that a test
 * writes. */
#ifndef TESTS_CONFIG_KIT_H
#define TESTS_CONFIG_KIT_H

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/file.h"
#include "plan/config.h"
#include "plan/config_table.h"

static char dir[] = "/tmp/test_config.XXXXXX";
static char main_file[64], conf_d[64];

static inline int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(main_file, sizeof(main_file), "%s/main", dir);
	(void)snprintf(conf_d, sizeof(conf_d), "%s/conf.d", dir);
	return mkdir(conf_d, 0755);
}

static inline int group_teardown(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	return file_remove_tree(AT_FDCWD, dir, &e);
}

static inline void put_bytes(const char *file, const void *p, size_t n)
{
	struct err e = ERR_EMPTY;

	if (file_save(AT_FDCWD, file, p, n, 0644, true, &e) != 0)
		fail_msg("%s", e.text);
}

static inline void put(const char *file, const char *text)
{
	put_bytes(file, text, strlen(text));
}

static inline void put_conf_d(const char *name, const char *text)
{
	char file[128];

	(void)snprintf(file, sizeof(file), "%s/%s", conf_d, name);
	put(file, text);
}

static inline int clear_conf_d(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	if (file_remove_tree(AT_FDCWD, conf_d, &e) < 0)
		return -1;
	return mkdir(conf_d, 0755);
}

/* Load the main file and conf.d as they lie there. */
static inline struct config load_all(void)
{
	struct config c;
	struct err e = ERR_EMPTY;

	if (config_load_from(main_file, conf_d, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static inline struct config load(const char *text)
{
	struct config c;
	struct err e = ERR_EMPTY;

	put(main_file, text);
	if (config_load(main_file, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

/* The files are refused: ERR_CONFIG, the message begins with PLACE after the directory
 * and says SAYS, and nothing comes out. */
static inline void refuse_all(const char *place, const char *says)
{
	struct config c;
	struct err e = ERR_EMPTY;
	char begins[128];

	assert_int_equal(config_load_from(main_file, conf_d, &c, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	(void)snprintf(begins, sizeof(begins), "%s/%s: ", dir, place);
	if (strncmp(e.text, begins, strlen(begins)) != 0 || !strstr(e.text, says))
		fail_msg("\"%s\" is not \"%s...%s\"", e.text, begins, says);
	assert_null(c.table);
	assert_null(c.volumes);
	assert_null(c.host_name);
}

static inline void refuse(const char *text, size_t line, const char *says)
{
	char place[64];

	put(main_file, text);
	(void)snprintf(place, sizeof(place), "main:%zu", line);
	refuse_all(place, says);
}

#endif
