/* Configuration: what the files may say, which of it is in force, and what mistakes are
 * told. */
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

static int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	(void)snprintf(main_file, sizeof(main_file), "%s/main", dir);
	(void)snprintf(conf_d, sizeof(conf_d), "%s/conf.d", dir);
	return mkdir(conf_d, 0755);
}

static int group_teardown(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	return file_remove_tree(AT_FDCWD, dir, &e);
}

static void put_bytes(const char *file, const void *p, size_t n)
{
	struct err e = ERR_EMPTY;

	if (file_save(AT_FDCWD, file, p, n, 0644, true, &e) != 0)
		fail_msg("%s", e.text);
}

static void put(const char *file, const char *text)
{
	put_bytes(file, text, strlen(text));
}

static void put_conf_d(const char *name, const char *text)
{
	char file[128];

	(void)snprintf(file, sizeof(file), "%s/%s", conf_d, name);
	put(file, text);
}

static int clear_conf_d(void **state)
{
	struct err e = ERR_EMPTY;

	(void)state;
	if (file_remove_tree(AT_FDCWD, conf_d, &e) < 0)
		return -1;
	return mkdir(conf_d, 0755);
}

/* Load the main file and conf.d as they lie there. */
static struct config load_all(void)
{
	struct config c;
	struct err e = ERR_EMPTY;

	if (config_load_from(main_file, conf_d, &c, &e) < 0)
		fail_msg("%s", e.text);
	return c;
}

static struct config load(const char *text)
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
static void refuse_all(const char *place, const char *says)
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

static void refuse(const char *text, size_t line, const char *says)
{
	char place[64];

	put(main_file, text);
	(void)snprintf(place, sizeof(place), "main:%zu", line);
	refuse_all(place, says);
}

/* ---- what is in force ---- */

/* An empty file is a whole configuration: everything has a value. */
static void test_built_in(void **state)
{
	auto_config struct config c = load("");

	(void)state;
	assert_true(strlen(c.host_name) >= 1 && strlen(c.host_name) <= 63);
	assert_string_equal(c.store_location, "/var/backups/volsnap");
	assert_string_equal(c.keys_dir, "/etc/volsnap/keys");
	assert_string_equal(c.state_dir, "/var/lib/volsnap");
	assert_int_equal(c.engine, ENGINE_AUTO);
	assert_null(c.engine_socket);
	assert_string_equal(c.volumes_dir, "/var/lib/docker/volumes");
	assert_int_equal(c.n_volumes, 0);
	assert_null(config_find(&c, "db"));
}

/* A section alone configures a volume, with the built-in values. */
static void test_section_alone(void **state)
{
	auto_config struct config c =
		load("[volume db]\n[bind html]\npath = /srv/html\n");
	const struct config_volume *v = config_find(&c, "db");

	(void)state;
	assert_int_equal(c.n_volumes, 2);
	assert_ptr_equal(v, &c.volumes[0]);
	assert_int_equal(v->kind, VOLUME_NAMED);
	assert_null(v->path);
	assert_int_equal(v->n_exclude, 0);
	assert_int_equal(v->compression, 1);
	assert_false(v->one_file_system);
	assert_string_equal(v->schedule, "daily");
	assert_string_equal(v->keep, "last:3 daily:7 weekly:4 monthly:6");
	assert_string_equal(v->quiesce, "auto");
	assert_int_equal(v->max_pause_ms, 10000);
	assert_int_equal(v->checkpoint_ms, 1800000);
	assert_int_equal(v->racy_window_ms, 60000);
	assert_int_equal(v->max_age_ms, 0);
	assert_int_equal(v->min_keep, 3);
	assert_int_equal(c.volumes[1].kind, VOLUME_BIND);
	assert_string_equal(c.volumes[1].path, "/srv/html");
}

/* Every key arrives in its field. */
static void test_every_key(void **state)
{
	auto_config struct config c =
		load("[host]\nname = Gateway_7.lan\n"
		     "[store]\nlocation = /s/\nmax_size = 2G\nmin_free = 5M\n"
		     "grace = 7d\nread_back = yes\n"
		     "[keys]\ndirectory = /k//\n[state]\ndirectory = /\n"
		     "[engine]\nkind = podman\nsocket = /run/p.sock\n"
		     "volumes_dir = /v\n"
		     "[volume db]\nschedule = *-*-* 02:30\nkeep = last:1\n"
		     "min_keep = 12\nexclude = a b\nexclude = /c/\n"
		     "one_file_system = yes\ncompression = off\n"
		     "quiesce = two-pass\nmax_pause = 3m\n"
		     "max_pause_then = live\ncheckpoint = 2h\n"
		     "racy_window = 0\nmax_age = 1d\n");
	const struct config_volume *v = config_find(&c, "db");

	(void)state;
	assert_string_equal(c.host_name, "Gateway_7.lan");
	assert_string_equal(c.store_location, "/s");
	assert_string_equal(c.keys_dir, "/k");
	assert_string_equal(c.state_dir, "/");
	assert_int_equal(c.engine, ENGINE_PODMAN);
	assert_string_equal(c.engine_socket, "/run/p.sock");
	assert_string_equal(c.volumes_dir, "/v");
	assert_string_equal(v->schedule, "*-*-* 02:30");
	assert_string_equal(v->keep, "last:1");
	assert_int_equal(v->min_keep, 12);
	assert_int_equal(v->n_exclude, 2);
	assert_string_equal(v->exclude[0], "a b");
	assert_string_equal(v->exclude[1], "/c/");
	assert_true(v->one_file_system);
	assert_int_equal(v->compression, 0);
	assert_string_equal(v->quiesce, "two-pass");
	assert_int_equal(v->max_pause_ms, 180000);
	assert_int_equal(v->checkpoint_ms, 7200000);
	assert_int_equal(v->racy_window_ms, 0);
	assert_int_equal(v->max_age_ms, 86400000);
}

/* A volume's own section wins over [volume *], that over [defaults], that over the
 * built-in value, key by key and whatever order they stand in; a bind is a volume too. */
static void test_precedence(void **state)
{
	auto_config struct config c =
		load("[volume db]\nquiesce = stop\n"
		     "[bind b]\npath = /b\n"
		     "[volume *]\nquiesce = pause\nschedule = weekly\n"
		     "[volume web]\nschedule = hourly\n"
		     "[defaults]\nquiesce = none\nschedule = x\nkeep = y\n");
	const struct config_volume *db = config_find(&c, "db");
	const struct config_volume *web = config_find(&c, "web"),
				   *b = config_find(&c, "b");

	(void)state;
	assert_int_equal(c.n_volumes, 3); /* `*` is none */
	assert_null(config_find(&c, "*"));
	assert_string_equal(db->quiesce, "stop");
	assert_string_equal(db->schedule, "weekly");
	assert_string_equal(db->keep, "y");
	assert_int_equal(db->compression, 1);
	assert_string_equal(web->quiesce, "pause");
	assert_string_equal(web->schedule, "hourly");
	assert_string_equal(b->quiesce, "pause");
	assert_string_equal(b->keep, "y");
}

/* A list of a higher section replaces the lower's, and an empty value empties it. */
static void test_lists(void **state)
{
	auto_config struct config c =
		load("[defaults]\nexclude = d1\nexclude = d2\n"
		     "[volume a]\n[volume b]\nexclude = own\n"
		     "[volume c]\nexclude =\n"
		     "[volume d]\nexclude = x\nexclude = \"\"\nexclude = y\n");

	(void)state;
	assert_int_equal(c.volumes[0].n_exclude, 2);
	assert_string_equal(c.volumes[0].exclude[0], "d1");
	assert_string_equal(c.volumes[0].exclude[1], "d2");
	assert_int_equal(c.volumes[1].n_exclude, 1);
	assert_string_equal(c.volumes[1].exclude[0], "own");
	assert_int_equal(c.volumes[2].n_exclude, 0);
	assert_int_equal(c.volumes[3].n_exclude, 1);
	assert_string_equal(c.volumes[3].exclude[0], "y");
}

/* conf.d is read after the main file, in the order of names: single keys are overridden,
 * lists of one section add up; other names, hidden ones too, are not read. */
static void test_conf_d(void **state)
{
	auto_config struct config c = CONFIG_EMPTY;

	(void)state;
	put(main_file, "[volume db]\nquiesce = auto\nschedule = main\nexclude = m\n");
	put_conf_d("20-b.conf", "[volume db]\nschedule = b\nexclude = b\n");
	put_conf_d("10-a.conf", "[volume db]\nschedule = a\nexclude = a\nkeep = a\n");
	put_conf_d("30.conf~", "[nonsense]\n");
	put_conf_d(".conf", "[nonsense]\n");
	put_conf_d(".hidden.conf", "[nonsense]\n");
	c = load_all();
	assert_int_equal(c.n_volumes, 1);
	assert_string_equal(c.volumes[0].schedule, "b");
	assert_string_equal(c.volumes[0].keep, "a");
	assert_string_equal(c.volumes[0].quiesce, "auto");
	assert_int_equal(c.volumes[0].n_exclude, 3);
	assert_string_equal(c.volumes[0].exclude[0], "m");
	assert_string_equal(c.volumes[0].exclude[1], "a");
	assert_string_equal(c.volumes[0].exclude[2], "b");
}

/* With -c, conf.d is not read; without a conf.d nothing is missing. */
static void test_without_conf_d(void **state)
{
	auto_config struct config c = CONFIG_EMPTY, d = CONFIG_EMPTY;
	struct err e = ERR_EMPTY;

	(void)state;
	put_conf_d("a.conf", "[volume extra]\n");
	c = load("[volume db]\n");
	assert_int_equal(c.n_volumes, 1);
	assert_int_equal(config_load_from(main_file, "/nonexistent", &d, &e), 0);
	assert_int_equal(d.n_volumes, 1);
}

/* A mistake in conf.d is told with that file's name and line; what an earlier file says
 * is its own place. */
static void test_conf_d_mistake(void **state)
{
	(void)state;
	put(main_file, "[volume db]\n");
	put_conf_d("a.conf", "\n\n[volume db]\nquisce = auto\n");
	refuse_all("conf.d/a.conf:4", "did you mean quiesce?");
	put_conf_d("a.conf", "# x\n[bind db]\npath = /x\n");
	refuse_all("conf.d/a.conf:2", "/main:1: rename");
}

/* A key twice in one file is an error, even where its section is written twice; in two
 * sections, or a list's key, it is none. */
static void test_twice(void **state)
{
	auto_config struct config c = CONFIG_EMPTY;

	(void)state;
	refuse("[volume db]\nkeep = a\n\nkeep = a\n", 4,
	       "twice in this section, first in line 2");
	refuse("[volume db]\nkeep = a\n[host]\n[volume db]\nkeep = b\n", 5,
	       "first in line 2");
	c = load(
		"[volume a]\nkeep = a\n[volume b]\nkeep = a\n[volume a]\nschedule = x\n");
	assert_int_equal(c.n_volumes, 2);
	put_conf_d("a.conf", "[volume db]\nkeep = 1\nkeep = 2\n");
	refuse_all("conf.d/a.conf:3", "first in line 2");
}

/* ---- names ---- */

/* `name =` names a volume that cannot be a section, and finds it; the label is then no
 * name. */
static void test_long_name(void **state)
{
	static const char id[] =
		"3f9a2c7e51b04d6f8a1e0c9d7b5a3f2e3f9a2c7e51b04d6f8a1e0c9d7b5a3f2e";
	auto_config struct config c = CONFIG_EMPTY;
	char text[200];

	(void)state;
	(void)snprintf(text, sizeof(text), "[volume short]\nname = %s\n", id);
	c = load(text);
	assert_non_null(config_find(&c, id));
	assert_null(config_find(&c, "short"));
	(void)snprintf(text, sizeof(text), "[volume %s]\n", id);
	refuse(text, 1, "longer than 49 letters");
}

/* Section names of 49 letters are taken whole, 50 are refused: inih would cut them, and
 * two volumes would be one. */
static void test_section_length(void **state)
{
	static const char base[] = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddee";
	auto_config struct config c = CONFIG_EMPTY;
	char text[200];

	(void)state;
	assert_int_equal(strlen("volume ") + strlen(base), 49);
	(void)snprintf(text, sizeof(text), "[volume %s]\n[volume %.41sX]\n", base, base);
	c = load(text);
	assert_int_equal(c.n_volumes, 2);
	assert_non_null(config_find(&c, base));
	(void)snprintf(text, sizeof(text), "[volume %sX]\n", base);
	refuse(text, 1, "longer than 49 letters");
}

/* A volume and a bind, or two volumes, of one name are an error that names both places.
 */
static void test_one_name(void **state)
{
	(void)state;
	refuse("[volume db]\n[bind db]\npath = /x\n", 2, "[volume db] at ");
	refuse("[bind db]\npath = /x\n\n[volume db]\n", 4, "[bind db] at ");
	refuse("[volume a]\n[volume *]\n[volume db]\n[bind db]\npath = /x\n", 4,
	       "main:3: rename");
	refuse("[volume x]\nname = db\n[volume db]\n", 3, "[volume x] at ");
	refuse("[volume db]\n[volume a]\n[volume x]\nname = db\n", 3, "main:1: rename");
}

/* Names are those docker allows. */
static void test_volume_names(void **state)
{
	static const char *const good[] = { "a", "0", "A.b_c-D", "9..", "a-" };
	static const char *const bad[] = { ".a", "-a", "_a",	   "a/b", "a b",
					   "a*", "**", "\xc3\xa4", "a%",  "a@b" };
	char text[400], long_name[300];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_config struct config c = CONFIG_EMPTY;

		(void)snprintf(text, sizeof(text), "[volume %s]\n", good[i]);
		c = load(text);
		assert_non_null(config_find(&c, good[i]));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "[volume %s]\n", bad[i]);
		refuse(text, 1, "a letter or digit");
		(void)snprintf(text, sizeof(text), "[bind %s]\npath = /x\n", bad[i]);
		refuse(text, 1, "a letter or digit");
		(void)snprintf(text, sizeof(text), "[volume x]\nname = %s\n", bad[i]);
		refuse(text, 2, "a letter or digit");
	}
	refuse("[bind *]\n", 1, "a letter or digit");
	refuse("[volume *]\nname = x\n", 2, "move it to [volume NAME]");
	memset(long_name, 'a', sizeof(long_name));
	(void)snprintf(text, sizeof(text), "[volume x]\nname = %.256s\n", long_name);
	refuse(text, 2, "at most 255");
}

/* ---- lines ---- */

/* Blanks around keys and values, blank lines, comments, CR LF and a missing last line
 * break do not matter. */
static void test_blanks(void **state)
{
	auto_config struct config c =
		load("\xef\xbb\xbf# c\r\n  ; also\r\n\t# and\r\n\r\n   \r\n"
		     "[volume db]  \r\nkeep=a\r\nschedule \t=\t b c \t\r\n"
		     ";quiesce = stop\n#quiesce = stop\nexclude =a;b#c");

	(void)state;
	assert_string_equal(c.volumes[0].keep, "a");
	assert_string_equal(c.volumes[0].schedule, "b c");
	assert_string_equal(c.volumes[0].quiesce, "auto");
	assert_string_equal(c.volumes[0].exclude[0], "a;b#c");
}

/* ` ;` and ` #` are kept in double quotes and refused outside (trap T63); quotes around a
 * whole value are no part of it, others are. */
static void test_quotes(void **state)
{
	static const struct {
		const char *raw, *value;
	} good[] = {
		{ "\"a ;b\"", "a ;b" },
		{ "\"a #b\"", "a #b" },
		{ "\" a \"", " a " },
		{ "\"#a#\"", "#a#" },
		{ "a\" ;\"b", "a\" ;\"b" },
		{ "\"a\" \"b\"", "\"a\" \"b\"" },
		{ "a;b", "a;b" },
		{ "a\"b\"", "a\"b\"" },
		{ "x = y : z", "x = y : z" },
	};
	static const char *const bad[] = { "a ;b", "a\t;b", "a #b",	"a\t#b",
					   "; c",  "# c",   "\"a\" ;c", "\"a\" # c" };
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		auto_config struct config c = CONFIG_EMPTY;

		(void)snprintf(text, sizeof(text), "[volume db]\nexclude = %s\n",
			       good[i].raw);
		c = load(text);
		assert_string_equal(c.volumes[0].exclude[0], good[i].value);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		(void)snprintf(text, sizeof(text), "[volume db]\nexclude = %s\n", bad[i]);
		refuse(text, 2, "put a comment on a line of its own");
	}
	refuse("[volume db]\nexclude = \"a\n", 2, "a double quote is not closed");
	refuse("[volume db]\nexclude = a\"\n", 2, "a double quote is not closed");
}

/* Lines of 4096 bytes are taken whole and longer ones refused, where inih would cut both
 * at 199 (trap T63). */
static void test_long_lines(void **state)
{
	static const size_t lengths[] = { 150, 187, 188, 189,  199,
					  200, 201, 400, 4000, 4086 };
	static char text[5000], value[4200];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		auto_config struct config c = CONFIG_EMPTY;

		for (size_t k = 0; k < lengths[i]; k++)
			value[k] = (char)('a' + k % 26);
		value[lengths[i]] = '\0';
		(void)snprintf(text, sizeof(text),
			       "[volume db]\nexclude = %s\nkeep = z\n", value);
		c = load(text);
		assert_string_equal(c.volumes[0].exclude[0], value);
		assert_string_equal(c.volumes[0].keep, "z");
	}
	value[4086] = 'x';
	value[4087] = '\0';
	(void)snprintf(text, sizeof(text), "[volume db]\nexclude = %s\n", value);
	refuse(text, 2, "longer than 4096 bytes");
	memset(text, '#', 4097);
	text[4097] = '\0';
	refuse(text, 1, "longer than 4096 bytes");
}

/* Leading blanks before a key or a section are refused: inih takes such a line for more
 * of the value before. */
static void test_leading_blanks(void **state)
{
	(void)state;
	refuse("[volume db]\nexclude = a\n  exclude = b\n", 3, "first column");
	refuse("[volume db]\nexclude = a\n\tb\n", 3, "first column");
	refuse(" [volume db]\n", 1, "first column");
}

/* Lines that are no section, key or comment are refused. */
static void test_nonsense(void **state)
{
	(void)state;
	refuse("[volume db\n", 1, "not a section");
	refuse("[volume db;\n", 1, "not a section");
	refuse("[]\n", 1, "not a section");
	refuse("[volume db] # c\n", 1, "not a section");
	refuse("[volume db]]\n", 1, "not a section");
	refuse("[volume ;db]\n", 1, "not a section");
	refuse("[volume db]\nschedule\n", 2, "write KEY = VALUE");
	refuse("[volume db]\nschedule: daily\n", 2, "write KEY = VALUE");
	refuse("[volume db]\nschedule: a = b\n", 2, "not a key");
	refuse("[volume db]\n= daily\n", 2, "write KEY = VALUE");
	refuse("[volume db]\n\"keep\" = a\n", 2, "not a key");
	refuse("[volume db]\nke ep = a\n", 2, "not a key");
	refuse("[volume db]\nkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk = a\n", 2,
	       "not a key");
	refuse("keep = a\n", 1, "before the first section");
	refuse("[volume db]\nkeep = a\x01\n", 2, "control character");
	refuse("[volume db]\nkeep = a\rb\n", 2, "control character");
	refuse("[volume db]\n# \x7f\n", 2, "control character");
	put_bytes(main_file, "[volume db]\nkeep = a\0b\n", 23);
	refuse_all("main:2", "control character");
}

/* Of several mistakes the first is told. */
static void test_first_mistake(void **state)
{
	(void)state;
	refuse("[volume db]\nkep = a\nnonsense\n[x]\n", 2, "did you mean keep?");
	refuse("[volume db]\nnonsense\nkep = a\n[x]\n", 2, "write KEY = VALUE");
	refuse("[x]\nkep = a\n[volume db]\nkeep = a\nkeep = a\n", 1, "unknown section");
}

/* ---- unknown words ---- */

/* Unknown sections and keys are errors, with the name that was probably meant. */
static void test_unknown(void **state)
{
	(void)state;
	refuse("[volum db]\n", 1, "did you mean [volume NAME]?");
	refuse("[sotre]\n", 1, "did you mean [store]?");
	refuse("[Host]\n", 1, "did you mean [host]?");
	refuse("[networking]\n", 1, "there are [host]");
	refuse("[volume]\n", 1, "write [volume NAME]");
	refuse("[bind]\n", 1, "write [bind NAME]");
	refuse("[store main]\n", 1, "write [store]");
	refuse("[ host]\n", 1, "unknown section");
	refuse("[defaults]\nkep = last:3\n", 2, "did you mean keep?");
	refuse("[defaults]\nexcludes = a\n", 2, "did you mean exclude?");
	refuse("[defaults]\nQuiesce = a\n", 2, "did you mean quiesce?");
	refuse("[store]\nmax_szie = 1G\n", 2, "did you mean max_size?");
	refuse("[defaults]\nabsolutely = 1\n", 2,
	       "unknown key absolutely in [defaults]: correct");
}

/* A key that is known but stands in the wrong section is told where it belongs. */
static void test_misplaced(void **state)
{
	(void)state;
	refuse("[defaults]\nlocation = /x\n", 2, "move it to [store]");
	refuse("[store]\nexclude = x\n", 2, "move it to [defaults]");
	refuse("[volume db]\npath = /x\n", 2, "move it to [bind NAME]");
	refuse("[bind x]\nname = y\n", 2, "name does not belong in [bind]");
	refuse("[volume db]\nsocket = /x\n", 2, "move it to [engine]");
}

/* ---- values ---- */

/* Values that a key cannot have are refused, and the message says what it can have. */
static void test_bad_values(void **state)
{
	static const struct {
		const char *section, *line, *says;
	} cases[] = {
		{ "host", "name = a b", "1 to 63" },
		{ "host", "name =", "has no value" },
		{ "store", "location = srv", "absolute path" },
		{ "store", "location = sftp://x", "absolute path" },
		{ "store", "max_size = 1T", "K, M or G" },
		{ "store", "max_size = 1.5G", "K, M or G" },
		{ "store", "max_size = -1", "K, M or G" },
		{ "store", "max_size = G", "K, M or G" },
		{ "store", "max_size = 1GB", "K, M or G" },
		{ "store", "max_size = 1 G", "K, M or G" },
		{ "store", "max_size = 1k", "K, M or G" },
		{ "store", "max_size = 8589934592G", "too large" },
		{ "store", "max_size = 17179869185G", "too large" },
		{ "store", "max_size = 9223372036854775808", "too large" },
		{ "store", "max_size = 18446744073709551617", "too large" },
		{ "store", "max_size = 18446744073709551620", "too large" },
		{ "store", "grace = 7", "s, m, h or d" },
		{ "store", "grace = 00", "s, m, h or d" },
		{ "store", "grace = 1w", "s, m, h or d" },
		{ "store", "grace = 1h30m", "s, m, h or d" },
		{ "store", "grace = 36501d", "too large" },
		{ "store", "grace = 213503982335d", "too large" },
		{ "store", "grace = 18446744073709551617s", "too large" },
		{ "store", "read_back = true", "yes or no" },
		{ "keys", "directory = ~/keys", "absolute path" },
		{ "state", "directory = .", "absolute path" },
		{ "engine", "kind = lxc", "auto docker podman none" },
		{ "engine", "socket = unix:///run/x", "absolute path" },
		{ "engine", "volumes_dir = v", "absolute path" },
		{ "bind b", "path = srv/html", "absolute path" },
		{ "defaults", "schedule =", "has no value" },
		{ "defaults", "keep = \"\"", "has no value" },
		{ "defaults", "min_keep = -1", "whole number" },
		{ "defaults", "min_keep = 1x", "whole number" },
		{ "defaults", "min_keep = 1000000001", "too large" },
		{ "defaults", "one_file_system = 1", "yes or no" },
		{ "defaults", "compression = 10", "off, or 1 to 9" },
		{ "defaults", "compression = 0", "off, or 1 to 9" },
		{ "defaults", "compression = on", "off, or 1 to 9" },
		{ "defaults", "quiesce = freeze",
		  "auto btrfs reflink two-pass pause stop none" },
		{ "defaults", "quiesce = auto btrfs", "must be one of" },
		{ "defaults", "quiesce = Auto", "must be one of" },
		{ "defaults", "max_pause = 10", "s, m, h or d" },
		{ "defaults", "max_pause_then = continue", "fail live" },
		{ "defaults", "checkpoint = 0.5h", "s, m, h or d" },
		{ "defaults", "racy_window =", "has no value" },
		{ "defaults", "max_age = never", "s, m, h or d" },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(text, sizeof(text), "[%s]\n\n%s\n", cases[i].section,
			       cases[i].line);
		refuse(text, 3, cases[i].says);
	}
	(void)snprintf(text, sizeof(text), "[host]\nname = %064d\n", 0);
	refuse(text, 2, "1 to 63");
	refuse("[volume a]\n\n[bind b]\nkeep = x\n", 3, "add path = ");
}

/* Sizes and times at their limits, all words and all levels are taken. */
static void test_good_values(void **state)
{
	static const char *const words[] = { "auto",  "btrfs", "reflink", "two-pass",
					     "pause", "stop",  "none" };
	static const char *const engines[] = { "auto", "docker", "podman", "none" };
	static const struct {
		const char *text;
		uint64_t ms;
	} times[] = { { "1s", 1000 },
		      { "2m", 120000 },
		      { "3h", 10800000 },
		      { "4d", 345600000 },
		      { "0s", 0 },
		      { "007s", 7000 },
		      { "36500d", 36500ULL * 86400000ULL } };
	static const struct {
		const char *text;
		uint64_t bytes;
	} sizes[] = { { "0", 0 },
		      { "9223372036854775807", INT64_MAX },
		      { "8589934591G", 8589934591ULL << 30 },
		      { "3M", 3ULL << 20 },
		      { "5K", 5ULL << 10 } };
	char text[200];

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		auto_config struct config c = CONFIG_EMPTY;

		(void)snprintf(text, sizeof(text),
			       "[volume v]\nquiesce = %s\nmax_age = %s\n", words[i],
			       times[i].text);
		c = load(text);
		assert_string_equal(c.volumes[0].quiesce, words[i]);
		assert_true(c.volumes[0].max_age_ms == times[i].ms);
	}
	for (int i = 1; i <= 9; i++) {
		auto_config struct config c = CONFIG_EMPTY;

		(void)snprintf(text, sizeof(text), "[volume v]\ncompression = %d\n", i);
		c = load(text);
		assert_int_equal(c.volumes[0].compression, i);
	}
	for (size_t i = 0; i < 4; i++) {
		auto_config struct config c = CONFIG_EMPTY;

		(void)snprintf(text, sizeof(text), "[engine]\nkind = %s\n", engines[i]);
		c = load(text);
		assert_int_equal(c.engine, i);
	}
	for (size_t i = 0; i < 5; i++) {
		uint64_t bytes = 1;

		assert_null(
			config_value_problem(CONFIG_SIZE, NULL, sizes[i].text, &bytes));
		assert_true(bytes == sizes[i].bytes);
	}
}

/* ---- files ---- */

/* A file that is missing, no file, or too large is ERR_CONFIG and is named. */
static void test_files(void **state)
{
	static char big[1024 * 1024 + 1];
	struct config c;
	struct err e = ERR_EMPTY;

	(void)state;
	assert_int_equal(config_load("/nonexistent/volsnap.conf", &c, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.text, "/nonexistent/volsnap.conf"));
	assert_int_equal(config_load(dir, &c, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	assert_non_null(strstr(e.text, dir));
	memset(big, '\n', sizeof(big));
	put_bytes(main_file, big, sizeof(big));
	e = (struct err)ERR_EMPTY;
	assert_int_equal(config_load(main_file, &c, &e), -1);
	assert_int_equal(e.kind, ERR_CONFIG);
	put_bytes(main_file, big, sizeof(big) - 1);
	assert_int_equal(config_load(main_file, &c, &e), 0);
	config_free(&c);
}

/* ---- sources and show ---- */

/* The source of a bind is its path, of a named volume the engine's directory for it. */
static void test_source(void **state)
{
	auto_config struct config c = load("[engine]\nvolumes_dir = /v/\n[volume db]\n"
					   "[bind html]\npath = /srv/html/\n");
	char *db = config_source(&c, &c.volumes[0]),
	     *html = config_source(&c, &c.volumes[1]);

	(void)state;
	assert_string_equal(db, "/v/db/_data");
	assert_string_equal(html, "/srv/html");
	free(db);
	free(html);
}

static void same_text(const char *a, const char *b)
{
	if (a && b)
		assert_string_equal(a, b);
	else
		assert_ptr_equal(a, b);
}

static void same_volume(const struct config_volume *a, const struct config_volume *b)
{
	assert_int_equal(a->kind, b->kind);
	same_text(a->name, b->name);
	same_text(a->path, b->path);
	same_text(a->schedule, b->schedule);
	same_text(a->keep, b->keep);
	same_text(a->quiesce, b->quiesce);
	assert_int_equal(a->n_exclude, b->n_exclude);
	for (size_t i = 0; i < a->n_exclude; i++)
		same_text(a->exclude[i], b->exclude[i]);
	assert_int_equal(a->compression, b->compression);
	assert_int_equal(a->one_file_system, b->one_file_system);
	assert_int_equal(a->max_pause_ms, b->max_pause_ms);
	assert_int_equal(a->checkpoint_ms, b->checkpoint_ms);
	assert_int_equal(a->racy_window_ms, b->racy_window_ms);
	assert_int_equal(a->max_age_ms, b->max_age_ms);
	assert_int_equal(a->min_keep, b->min_keep);
}

/* What config_show prints loads again as the same configuration, with values that need
 * quotes and a list that was emptied. */
static void test_show_loads(void **state)
{
	auto_config struct config c =
		load("[host]\nname = h\n[store]\nmax_size = 1G\n[engine]\nkind = none\n"
		     "[defaults]\nexclude = d\nmax_age = 3d\n[volume *]\nkeep = star\n"
		     "[volume x]\nname = "
		     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n"
		     "exclude = \"a ; b\"\nexclude = \"#c\"\nexclude = d\" ;\"\nexclude "
		     "= \"a\" \"b\"\n"
		     "exclude = \"x\t#\"\nexclude = \"end \"\n"
		     "[volume y]\nexclude =\n[volume z]\n[bind b]\npath = "
		     "/b\ncompression = off\n"
		     "one_file_system = yes\n");
	auto_config struct config d = CONFIG_EMPTY;
	char *text = config_show(&c);

	(void)state;
	assert_non_null(text);
	d = load(text);
	free(text);
	same_text(c.host_name, d.host_name);
	same_text(c.store_location, d.store_location);
	same_text(c.keys_dir, d.keys_dir);
	same_text(c.state_dir, d.state_dir);
	same_text(c.engine_socket, d.engine_socket);
	same_text(c.volumes_dir, d.volumes_dir);
	assert_int_equal(c.engine, d.engine);
	assert_int_equal(d.n_volumes, 4);
	assert_int_equal(c.n_volumes, 4);
	assert_int_equal(d.volumes[0].n_exclude, 6);
	assert_int_equal(d.volumes[1].n_exclude, 0);
	for (size_t i = 0; i < 4; i++)
		same_volume(&c.volumes[i], &d.volumes[i]);
}

/* Each value stands after the place it came from, or `built-in`. */
static void test_show_places(void **state)
{
	auto_config struct config c = CONFIG_EMPTY;
	char *text, want[300];

	(void)state;
	put(main_file,
	    "[defaults]\nkeep = last:9\nexclude = e\n[volume db]\nquiesce = stop\n");
	put_conf_d("x.conf", "\n[volume db]\nschedule = hourly\n");
	c = load_all();
	text = config_show(&c);
	assert_non_null(text);
	(void)snprintf(
		want, sizeof(want),
		"\n[volume db]\n# %s/x.conf:3\nschedule = hourly\n"
		"# %s:2\nkeep = last:9\n# built-in\nmin_keep = 3\n# %s:3\nexclude = e\n",
		conf_d, main_file, main_file);
	if (!strstr(text, want))
		fail_msg("%s\nis not in\n%s", want, text);
	(void)snprintf(want, sizeof(want), "# %s:5\nquiesce = stop\n", main_file);
	assert_non_null(strstr(text, want));
	assert_non_null(
		strstr(text, "[store]\n# built-in\nlocation = /var/backups/volsnap\n"));
	assert_non_null(strstr(text, "[host]\n# built-in\nname = "));
	free(text);
}

/* ---- the example ---- */

#ifndef TEST_CONF
#define TEST_CONF "conf/volsnap.conf"
#endif

/* The example with the `#` before its keys and sections taken away; prose has a blank
 * after it. */
static char *uncommented(const struct bytes *raw)
{
	char *out = calloc(1, raw->len + 1);
	size_t n = 0;

	assert_non_null(out);
	for (size_t i = 0; i < raw->len; i++) {
		bool begins = i == 0 || raw->p[i - 1] == '\n';

		if (begins && raw->p[i] == '#' && i + 1 < raw->len &&
		    raw->p[i + 1] != ' ' && raw->p[i + 1] != '\n')
			continue;
		out[n++] = (char)raw->p[i];
	}
	return out;
}

/* The example that is installed loads as it is and says nothing but the built-in values;
 * with every key uncommented it loads too, has every key, and what it calls a default is
 * one. */
static void test_example(void **state)
{
	auto_config struct config plain = CONFIG_EMPTY, full = CONFIG_EMPTY;
	auto_bytes struct bytes raw = BYTES_EMPTY;
	const struct config_key *key;
	struct err e = ERR_EMPTY;
	char *text;

	(void)state;
	assert_int_equal(file_load(AT_FDCWD, TEST_CONF, 65536, &raw, &e), 0);
	assert_int_equal(bytes_append(&raw, "", 1, &e), 0);
	raw.len--;
	plain = load((const char *)raw.p);
	assert_int_equal(plain.n_volumes, 0);
	assert_null(plain.table->settings);
	text = uncommented(&raw);
	full = load(text);
	free(text);
	assert_int_equal(full.n_volumes, 3);
	for (size_t i = 0; (key = config_key_at(i)) != NULL; i++) {
		const struct config_setting *s = full.table->settings;

		while (s && (s->key != key || config_table_is_volume(s->section)) &&
		       !(s->key == key &&
			 !(key->sections & CONFIG_KEY_IN(CONFIG_DEFAULTS))))
			s = s->next;
		if (!s)
			fail_msg("%s is not in the example", key->name);
		if (key->built_in)
			assert_string_equal(s->value, key->built_in);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_built_in, clear_conf_d),
		cmocka_unit_test_setup(test_section_alone, clear_conf_d),
		cmocka_unit_test_setup(test_every_key, clear_conf_d),
		cmocka_unit_test_setup(test_precedence, clear_conf_d),
		cmocka_unit_test_setup(test_lists, clear_conf_d),
		cmocka_unit_test_setup(test_conf_d, clear_conf_d),
		cmocka_unit_test_setup(test_without_conf_d, clear_conf_d),
		cmocka_unit_test_setup(test_conf_d_mistake, clear_conf_d),
		cmocka_unit_test_setup(test_twice, clear_conf_d),
		cmocka_unit_test_setup(test_long_name, clear_conf_d),
		cmocka_unit_test_setup(test_section_length, clear_conf_d),
		cmocka_unit_test_setup(test_one_name, clear_conf_d),
		cmocka_unit_test_setup(test_volume_names, clear_conf_d),
		cmocka_unit_test_setup(test_blanks, clear_conf_d),
		cmocka_unit_test_setup(test_quotes, clear_conf_d),
		cmocka_unit_test_setup(test_long_lines, clear_conf_d),
		cmocka_unit_test_setup(test_leading_blanks, clear_conf_d),
		cmocka_unit_test_setup(test_nonsense, clear_conf_d),
		cmocka_unit_test_setup(test_first_mistake, clear_conf_d),
		cmocka_unit_test_setup(test_unknown, clear_conf_d),
		cmocka_unit_test_setup(test_misplaced, clear_conf_d),
		cmocka_unit_test_setup(test_bad_values, clear_conf_d),
		cmocka_unit_test_setup(test_good_values, clear_conf_d),
		cmocka_unit_test_setup(test_files, clear_conf_d),
		cmocka_unit_test_setup(test_source, clear_conf_d),
		cmocka_unit_test_setup(test_show_loads, clear_conf_d),
		cmocka_unit_test_setup(test_show_places, clear_conf_d),
		cmocka_unit_test_setup(test_example, clear_conf_d),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
