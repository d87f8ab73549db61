/* From the files to struct config: read them in order, then settle each field by
 * precedence. */
#include "plan/config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/scope.h"
#include "plan/config_table.h"

#define HOST_NAME_MAX_LEN 63

static void volume_free(struct config_volume *v)
{
	free(v->exclude); /* with the texts, see set_list */
	free(v->name);
	free(v->path);
	free(v->schedule);
	free(v->keep);
	free(v->quiesce);
}

void config_free(struct config *c)
{
	for (size_t i = 0; i < c->n_volumes; i++)
		volume_free(&c->volumes[i]);
	free(c->volumes);
	free(c->host_name);
	free(c->store_location);
	free(c->keys_dir);
	free(c->state_dir);
	free(c->engine_socket);
	free(c->volumes_dir);
	config_table_free(c->table);
	*c = (struct config)CONFIG_EMPTY;
}

/* ---- reading ---- */

static int is_conf(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int read_dir(struct config_table *t, const char *dir, struct err *e)
{
	struct dirent **names = NULL;
	int n = scandir(dir, &names, is_conf, by_name), result = 0;

	if (n < 0)
		return errno == ENOENT
			       ? 0
			       : err_sys_kind(e, ERR_CONFIG, "read directory %s", dir);
	for (int i = 0; i < n; i++) {
		auto_free char *file = file_join(dir, names[i]->d_name);

		if (result == 0)
			result = file ? config_table_read(t, file, e) : err_memory(e);
		free(names[i]);
	}
	free(names);
	return result;
}

/* ---- settling ---- */

/* The host's own name as a label. */
static char *host_label(void)
{
	char name[256] = "";

	(void)gethostname(name, sizeof(name) - 1);
	name[HOST_NAME_MAX_LEN] = '\0';
	for (char *p = name; *p; p++) {
		*p = (char)tolower((unsigned char)*p);
		if (config_value_problem(CONFIG_LABEL, NULL, (char[]){ *p, '\0' }, NULL))
			*p = '-';
	}
	return strdup(name[0] ? name : "localhost");
}

static int settle_host(const struct config_table *t, struct config *c, struct err *e)
{
	static const enum config_kind kinds[] = { CONFIG_HOST, CONFIG_STORE, CONFIG_KEYS,
						  CONFIG_STATE, CONFIG_ENGINE };

	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		if (config_settle(t, kinds[k], config_table_section(t, kinds[k], ""), c,
				  e) < 0)
			return -1;
	}
	if (!c->host_name)
		c->host_name = host_label();
	return c->host_name ? 0 : err_memory(e);
}

static int settle_volume(const struct config_table *t, const struct config_section *s,
			 struct config_volume *v, struct err *e)
{
	v->kind = s->kind == CONFIG_BIND ? VOLUME_BIND : VOLUME_NAMED;
	if (config_settle(t, s->kind, s, v, e) < 0)
		return -1;
	if (v->kind == VOLUME_BIND && !v->path)
		return err_set(e, ERR_CONFIG,
			       "%s:%zu: [bind %s] has no path: add path = /absolute/path",
			       s->file->name, s->line, s->label);
	return 0;
}

/* The section, before S, whose volume is called NAME. */
static const struct config_section *
earlier(const struct config *c, const struct config_section *s, const char *name)
{
	const struct config_section *other = c->table->sections;
	size_t k = 0;

	for (; other != s; other = other->next)
		if (config_table_is_volume(other) &&
		    strcmp(c->volumes[k++].name, name) == 0)
			return other;
	return NULL;
}

static int check_name(const struct config *c, const struct config_section *s,
		      const char *name, struct err *e)
{
	const struct config_section *other = earlier(c, s, name);

	if (!other)
		return 0;
	return err_set(
		e, ERR_CONFIG,
		"%s:%zu: [%s %s] is a second volume of the name %s, after [%s %s] at "
		"%s:%zu: rename or remove one",
		s->file->name, s->line, config_kind_name(s->kind), s->label, name,
		config_kind_name(other->kind), other->label, other->file->name,
		other->line);
}

static size_t count_sections(const struct config_table *t)
{
	size_t n = 0;

	for (const struct config_section *s = t->sections; s; s = s->next)
		n++;
	return n;
}

static int settle_volumes(const struct config_table *t, struct config *c, struct err *e)
{
	c->volumes = calloc(count_sections(t) + 1, sizeof(*c->volumes));
	if (!c->volumes)
		return err_memory(e);
	for (const struct config_section *s = t->sections; s; s = s->next) {
		if (!config_table_is_volume(s))
			continue;
		/* counted before it is settled, so that what it has by then is freed */
		if (settle_volume(t, s, &c->volumes[c->n_volumes++], e) < 0 ||
		    check_name(c, s, c->volumes[c->n_volumes - 1].name, e) < 0)
			return -1;
	}
	return 0;
}

static int load(const char *file, const char *dir, struct config *c, struct err *e)
{
	c->table = config_table_new(e);
	if (!c->table || config_table_read(c->table, file, e) < 0 ||
	    (dir && read_dir(c->table, dir, e) < 0) || settle_host(c->table, c, e) < 0)
		return -1;
	return settle_volumes(c->table, c, e);
}

int config_load_from(const char *file, const char *dir, struct config *out, struct err *e)
{
	*out = (struct config)CONFIG_EMPTY;
	if (load(file, dir, out, e) == 0)
		return 0;
	config_free(out);
	return -1;
}

int config_load(const char *file, struct config *out, struct err *e)
{
	return file ? config_load_from(file, NULL, out, e)
		    : config_load_from(CONFIG_DEFAULT_FILE, CONFIG_DEFAULT_DIR, out, e);
}

/* ---- looking things up ---- */

const struct config_volume *config_find(const struct config *c, const char *name)
{
	for (size_t i = 0; i < c->n_volumes; i++)
		if (strcmp(c->volumes[i].name, name) == 0)
			return &c->volumes[i];
	return NULL;
}

char *config_source(const struct config *c, const struct config_volume *v)
{
	char *out = NULL;

	if (v->kind == VOLUME_BIND)
		return strdup(v->path);
	return asprintf(&out, "%s/%s/_data", c->volumes_dir, v->name) < 0 ? NULL : out;
}

int config_mistake(const struct config *c, const struct config_volume *v, struct err *e)
{
	const struct config_section *s = c->table->sections;
	size_t k = 0;

	/* Volumes were counted in the order of their sections. */
	while (s && !(config_table_is_volume(s) && &c->volumes[k++] == v))
		s = s->next;
	e->kind = ERR_CONFIG;
	return s ? err_in(e, "%s:%zu", s->file->name, s->line) : -1;
}
