/* Configuration: which of what the files say is in force, and how it is shown. */
#include "config_kit.h"

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
		cmocka_unit_test_setup(test_files, clear_conf_d),
		cmocka_unit_test_setup(test_source, clear_conf_d),
		cmocka_unit_test_setup(test_show_loads, clear_conf_d),
		cmocka_unit_test_setup(test_show_places, clear_conf_d),
		cmocka_unit_test_setup(test_example, clear_conf_d),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
