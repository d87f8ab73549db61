/* By paths, links resolved, before anything is read; what only a bind mount leads to is
 * the walk's to find, by device and inode. */
#include "job/apart.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/scope.h"
#include "plan/config.h"
#include "source/match.h"

/* A directory of our own. */
struct own {
	const char *word, *path, *help;
};

/* Where the path INNER lies in OUTER: "" where they are one, NULL where it does not. */
static const char *below(const char *outer, const char *inner)
{
	size_t n = strcmp(outer, "/") == 0 ? 0 : strlen(outer);

	if (strncmp(outer, inner, n) != 0 || (inner[n] != '/' && inner[n] != '\0'))
		return NULL;
	return inner[n] == '/' ? inner + n + 1 : inner + n;
}

/* Whether the walk of SOURCE never comes to REST in it, since it leaves out that or a
 * directory above it. */
static bool left_out(const char *source, const char *rest, const struct walk_options *o)
{
	auto_free char *path = NULL;
	struct stat root, st;

	if (asprintf(&path, "%s/%s", source, rest) < 0 || stat(source, &root) < 0)
		return false;
	for (char *end = path + strlen(source) + 1, *part = end; end;) {
		end = strchr(end, '/');
		if (end)
			*end = '\0';
		for (size_t i = 0; i < o->n_exclude; i++)
			if (match_path(o->exclude[i], part, true))
				return true;
		if (o->one_file_system && stat(path, &st) == 0 &&
		    st.st_dev != root.st_dev)
			return true;
		if (end)
			*end++ = '/';
	}
	return false;
}

static int check_source(const struct own *own, const char *name, const char *source,
			const struct walk_options *o, struct err *e)
{
	auto_free char *real = realpath(source, NULL), *there = realpath(own->path, NULL);
	const char *rest;

	if (!real || !there)
		return err_sys(e, "%s: %s", name, real ? own->path : source);
	if (below(there, real))
		return err_set(e, ERR_CONFIG,
			       "%s: %s lies in the %s %s: choose another path", name,
			       source, own->word, own->path);
	rest = below(real, there);
	if (!rest || left_out(real, rest, o))
		return 0;
	return err_set(e, ERR_CONFIG,
		       "%s: %s holds the %s %s, %s: exclude = /%s, or choose "
		       "another place for it",
		       name, source, own->word, own->path, own->help, rest);
}

static int set_bar(const struct own *own, struct walk_bar *bar, char text[4200],
		   struct err *e)
{
	struct stat st;

	if (stat(own->path, &st) < 0)
		return err_sys(e, "the %s %s", own->word, own->path);
	(void)snprintf(text, 4200, "the %s %s", own->word, own->path);
	*bar = (struct walk_bar){ .dev = st.st_dev, .ino = st.st_ino, .what = text };
	return 0;
}

int apart_from_source(const struct config *c, const struct config_volume *v,
		      const char *source, struct apart *out, struct walk_options *o,
		      struct err *e)
{
	const struct own own[APART_BARS] = {
		{ "store", c->store_location, "and no snapshot may hold its own store" },
		{ "state directory", c->state_dir,
		  "whose files change while they are read" },
	};

	for (size_t i = 0; i < APART_BARS; i++)
		if (check_source(&own[i], v->name, source, o, e) < 0 ||
		    set_bar(&own[i], &out->bars[i], out->text[i], e) < 0)
			return -1;
	o->bars = out->bars;
	o->n_bars = APART_BARS;
	return 0;
}

int apart_from_target(const struct config *c, const char *target, struct err *e)
{
	const struct own own[] = { { "store", c->store_location, NULL },
				   { "state directory", c->state_dir, NULL },
				   { "keys directory", c->keys_dir, NULL } };
	auto_free char *real = realpath(target, NULL);

	for (size_t i = 0; real && i < sizeof(own) / sizeof(*own); i++) {
		auto_free char *there = realpath(own[i].path, NULL);

		if (there && below(real, there))
			return err_set(
				e, ERR_REFUSED,
				"%s: holds the %s %s, which would be moved away: restore "
				"elsewhere with --to DIR",
				target, own[i].word, own[i].path);
	}
	return 0;
}
