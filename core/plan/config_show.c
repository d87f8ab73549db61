/* The configuration in force as an INI text that loads again: each value after a comment
 * that names the place it came from.  Keys and secrets are never in the configuration,
 * only paths to them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/config.h"
#include "plan/config_table.h"

/* Whether VALUE, written as it is, would be refused or read as something else. */
static bool needs_quotes(const char *value)
{
	size_t n = strlen(value);

	if (n == 0 || strchr(value, '"'))
		return false;
	return strchr(" \t;#", value[0]) || strchr(" \t", value[n - 1]) ||
	       strstr(value, " ;") || strstr(value, " #") || strstr(value, "\t;") ||
	       strstr(value, "\t#");
}

static void show_value(FILE *f, const char *name, const char *value, const char *file,
		       size_t line)
{
	const char *quote = needs_quotes(value) ? "\"" : "";

	if (file)
		(void)fprintf(f, "# %s:%zu\n", file, line);
	else
		(void)fprintf(f, "# built-in\n");
	(void)fprintf(f, "%s =%s%s%s%s\n", name, *value ? " " : "", quote, value, quote);
}

/* The list in force; where it is empty although something was said, an empty value keeps
 * it so. */
static void show_list(FILE *f, const struct config_table *t,
		      const struct config_section *level, const struct config_key *key)
{
	const struct config_setting *s = config_table_next(t, level, key, NULL);

	if (!s && (s = config_table_last(t, level, key)) != NULL) {
		show_value(f, key->name, "", s->file->name, s->line);
		return;
	}
	for (; s; s = config_table_next(t, level, key, s))
		show_value(f, key->name, s->value, s->file->name, s->line);
}

/* All keys of a section of KIND; OWN is NULL where no file has it. */
static void show_keys(FILE *f, const struct config *c, enum config_kind kind,
		      const struct config_section *own)
{
	const struct config_key *key;

	for (size_t k = 0; (key = config_key_at(k)) != NULL; k++) {
		const struct config_section *level =
			config_table_level(c->table, own, key);
		const struct config_setting *s = config_table_last(c->table, level, key);
		const char *built_in = kind == CONFIG_HOST ? c->host_name : key->built_in;

		if (!(key->sections & CONFIG_KEY_IN(kind)))
			continue;
		if (key->field == FIELD_LIST)
			show_list(f, c->table, level, key);
		else if (s)
			show_value(f, key->name, s->value, s->file->name, s->line);
		else if (built_in)
			show_value(f, key->name, built_in, NULL, 0);
	}
}

static void show_all(FILE *f, const struct config *c)
{
	const struct config_table *t = c->table;

	for (unsigned k = 0; k <= CONFIG_DEFAULTS; k++) {
		enum config_kind kind = (enum config_kind)k;

		(void)fprintf(f, "%s[%s]\n", k ? "\n" : "", config_kind_name(kind));
		show_keys(f, c, kind, config_table_section(t, kind, ""));
	}
	for (const struct config_section *s = t->sections; s; s = s->next) {
		if (!config_table_is_volume(s))
			continue;
		(void)fprintf(f, "\n[%s %s]\n", config_kind_name(s->kind), s->label);
		show_keys(f, c, s->kind, s);
	}
}

char *config_show(const struct config *c)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);
	bool bad;

	if (!f)
		return NULL;
	show_all(f, c);
	bad = ferror(f);
	if (fclose(f) != 0 || bad) {
		free(text);
		return NULL;
	}
	return text;
}
