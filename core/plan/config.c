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
	for (size_t i = 0; i < v->n_exclude; i++)
		free(v->exclude[i]);
	free(v->exclude);
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

static char *copy_path(const char *text)
{
	size_t n = strlen(text);

	while (n > 1 && text[n - 1] == '/')
		n--;
	return strndup(text, n);
}

static int set_list(const struct config_table *t, size_t level,
		    const struct config_key *key, struct config_volume *v, struct err *e)
{
	const struct config_setting *s = NULL;

	while ((s = config_table_next(t, level, key, s)) != NULL) {
		char **more = reallocarray(v->exclude, v->n_exclude + 1, sizeof(*more));

		if (!more)
			return err_memory(e);
		v->exclude = more;
		v->exclude[v->n_exclude] = strdup(s->value);
		if (!v->exclude[v->n_exclude])
			return err_memory(e);
		v->n_exclude++;
	}
	return 0;
}

/* Put VALUE, which was checked when it was read, into KEY's field of BASE. */
static int set_field(const struct config_key *key, const char *value, void *base,
		     struct err *e)
{
	void *field = (char *)base + key->at;
	uint64_t number = 0;
	char *text;

	(void)config_value_problem(key->type, key->words, value, &number);
	switch (key->field) {
	case FIELD_TEXT:
		text = key->type == CONFIG_PATH ? copy_path(value) : strdup(value);
		if (!text)
			return err_memory(e);
		free(*(char **)field);
		*(char **)field = text;
		break;
	case FIELD_ENGINE:
		*(enum engine_kind *)field = (enum engine_kind)number;
		break;
	case FIELD_BOOL:
		*(bool *)field = number != 0;
		break;
	case FIELD_INT:
		*(int *)field = (int)number;
		break;
	case FIELD_U64:
		*(uint64_t *)field = number;
		break;
	case FIELD_NONE:
	case FIELD_LIST:
		break;
	}
	return 0;
}

/* Fill the fields of BASE from all keys that may stand in a section of KIND; I is the
 * section. */
static int settle(const struct config_table *t, enum config_kind kind, size_t i,
		  void *base, struct err *e)
{
	const struct config_key *key;

	for (size_t k = 0; (key = config_key_at(k)) != NULL; k++) {
		size_t level = config_table_level(t, i, key);
		const struct config_setting *s = config_table_last(t, level, key);
		const char *value = s ? s->value : key->built_in;

		if (!(key->sections & CONFIG_KEY_IN(kind)))
			continue;
		if (key->field == FIELD_LIST) {
			if (set_list(t, level, key, base, e) < 0)
				return -1;
		} else if (value && set_field(key, value, base, e) < 0) {
			return -1;
		}
	}
	return 0;
}

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
		size_t i = config_table_section(t, kinds[k], NULL);

		if (settle(t, kinds[k], i, c, e) < 0)
			return -1;
	}
	if (!c->host_name)
		c->host_name = host_label();
	return c->host_name ? 0 : err_memory(e);
}

static int settle_volume(const struct config_table *t, size_t i, struct config_volume *v,
			 struct err *e)
{
	const struct config_section *s = &t->sections[i];

	v->kind = s->kind == CONFIG_BIND ? VOLUME_BIND : VOLUME_NAMED;
	if (settle(t, s->kind, i, v, e) < 0)
		return -1;
	if (v->kind == VOLUME_BIND && !v->path)
		return err_set(e, ERR_CONFIG,
			       "%s:%zu: [bind %s] has no path: add path = /absolute/path",
			       s->file, s->line, s->label);
	if (!v->name)
		v->name = strdup(s->label);
	return v->name ? 0 : err_memory(e);
}

/* Section I's volume V has its name for itself; ORIGIN[k] is the section of volume k. */
static int check_name(const struct config *c, const size_t *origin, size_t i,
		      const struct config_volume *v, struct err *e)
{
	const struct config_section *s = &c->table->sections[i], *other;

	for (size_t k = 0; k < c->n_volumes; k++) {
		if (strcmp(c->volumes[k].name, v->name) != 0)
			continue;
		other = &c->table->sections[origin[k]];
		return err_set(
			e, ERR_CONFIG,
			"%s:%zu: [%s %s] has the same name as [%s %s] at %s:%zu, %s: "
			"rename or remove one",
			s->file, s->line, config_kind_name(s->kind), s->label,
			config_kind_name(other->kind), other->label, other->file,
			other->line, v->name);
	}
	return 0;
}

static int settle_volumes(const struct config_table *t, struct config *c, struct err *e)
{
	auto_free size_t *origin = calloc(t->n_sections + 1, sizeof(*origin));

	c->volumes = calloc(t->n_sections + 1, sizeof(*c->volumes));
	if (!c->volumes || !origin)
		return err_memory(e);
	for (size_t i = 0; i < t->n_sections; i++) {
		struct config_volume *v = &c->volumes[c->n_volumes];

		if (!config_table_is_volume(t, i))
			continue;
		if (settle_volume(t, i, v, e) < 0 || check_name(c, origin, i, v, e) < 0) {
			volume_free(v);
			return -1;
		}
		origin[c->n_volumes++] = i;
	}
	return 0;
}

int config_load_from(const char *file, const char *dir, struct config *out, struct err *e)
{
	auto_config struct config c = CONFIG_EMPTY;

	c.table = config_table_new(e);
	if (!c.table || config_table_read(c.table, file, e) < 0 ||
	    (dir && read_dir(c.table, dir, e) < 0) || settle_host(c.table, &c, e) < 0 ||
	    settle_volumes(c.table, &c, e) < 0)
		return -1;
	*out = c;
	c = (struct config)CONFIG_EMPTY; /* given away */
	return 0;
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
