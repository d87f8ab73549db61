/* Collects settings from the files (through inifile.c) and looks them up by precedence.
 * Each mistake is said with its file and line, and what to do about it. */
#include "plan/config_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "plan/inifile.h"

struct config_table *config_table_new(struct err *e)
{
	struct config_table *t = calloc(1, sizeof(*t));

	if (!t) {
		(void)err_memory(e);
		return NULL;
	}
	t->sections_end = &t->sections;
	t->settings_end = &t->settings;
	return t;
}

void config_table_free(struct config_table *t)
{
	if (!t)
		return;
	for (struct config_section *s = t->sections, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	for (struct config_setting *s = t->settings, *next; s; s = next) {
		next = s->next;
		free(s);
	}
	for (struct config_file *f = t->files, *next; f; f = next) {
		next = f->next;
		free(f);
	}
	free(t);
}

/* ---- sections ---- */

const struct config_section *config_table_section(const struct config_table *t,
						  enum config_kind kind,
						  const char *label)
{
	for (const struct config_section *s = t->sections; s; s = s->next)
		if (s->kind == kind && strcmp(s->label, label) == 0)
			return s;
	return NULL;
}

static int add_section(struct config_table *t, enum config_kind kind, const char *label,
		       size_t line, struct err *e)
{
	size_t n = strlen(label) + 1;
	struct config_section *s = calloc(1, sizeof(*s) + n);

	if (!s)
		return err_memory(e);
	s->kind = kind;
	s->file = t->files;
	s->line = line;
	memcpy(s->label, label, n);
	t->current = *t->sections_end = s;
	t->sections_end = &s->next;
	return 0;
}

static int unknown_section(const struct config_table *t, const char *name,
			   const char *word, size_t line, struct err *e)
{
	const char *guess = config_kind_guess(word);

	if (guess)
		return err_set(e, ERR_CONFIG,
			       "%s:%zu: unknown section [%s]: did you mean [%s%s?",
			       t->files->name, line, name, guess,
			       strcmp(guess, "volume") == 0 || strcmp(guess, "bind") == 0
				       ? " NAME]"
				       : "]");
	return err_set(e, ERR_CONFIG,
		       "%s:%zu: unknown section [%s]: there are [host], [store], [keys], "
		       "[state], "
		       "[engine], [defaults], [volume NAME] and [bind NAME]",
		       t->files->name, line, name);
}

/* LABEL is what follows the first word, "" for nothing. */
static int check_label(const struct config_table *t, enum config_kind kind,
		       const char *label, size_t line, struct err *e)
{
	const char *word = config_kind_name(kind), *problem;

	if (kind != CONFIG_VOLUME && kind != CONFIG_BIND)
		return *label ? err_set(e, ERR_CONFIG,
					"%s:%zu: [%s] has no name: write [%s]",
					t->files->name, line, word, word)
			      : 0;
	if (!*label)
		return err_set(e, ERR_CONFIG, "%s:%zu: which %s? write [%s NAME]",
			       t->files->name, line, word, word);
	if (kind == CONFIG_VOLUME && strcmp(label, "*") == 0)
		return 0;
	problem = config_value_problem(CONFIG_VOLUME_NAME, NULL, label, NULL);
	if (problem)
		return err_set(e, ERR_CONFIG, "%s:%zu: [%s %s]: the name %s",
			       t->files->name, line, word, label, problem);
	return 0;
}

static int take_section(void *ctx, const char *name, size_t line, struct err *e)
{
	struct config_table *t = ctx;
	char word[INIFILE_NAME_MAX + 1] = "";
	size_t len = strcspn(name, " \t");
	const char *label = name + len + strspn(name + len, " \t");
	enum config_kind kind = config_kind_find(name, len);

	if (kind == CONFIG_KINDS) {
		memcpy(word, name, len < sizeof(word) ? len : sizeof(word) - 1);
		return unknown_section(t, name, word, line, e);
	}
	if (check_label(t, kind, label, line, e) < 0)
		return -1;
	t->current = config_table_section(t, kind, label);
	return t->current ? 0 : add_section(t, kind, label, line, e);
}

/* ---- settings ---- */

static int unknown_key(const struct config_table *t, enum config_kind kind,
		       const char *name, size_t line, struct err *e)
{
	const char *section = config_kind_name(kind),
		   *guess = config_key_guess(kind, name);
	const struct config_key *elsewhere = config_key_any(name);

	if (elsewhere)
		for (unsigned k = 0; k < CONFIG_KINDS; k++)
			if (elsewhere->sections & CONFIG_KEY_IN(k))
				return err_set(
					e, ERR_CONFIG,
					"%s:%zu: %s does not belong in [%s]: move it to "
					"[%s%s]",
					t->files->name, line, name, section,
					config_kind_name((enum config_kind)k),
					k >= CONFIG_VOLUME ? " NAME" : "");
	if (guess)
		return err_set(e, ERR_CONFIG,
			       "%s:%zu: unknown key %s in [%s]: did you mean %s?",
			       t->files->name, line, name, section, guess);
	return err_set(e, ERR_CONFIG,
		       "%s:%zu: unknown key %s in [%s]: correct or remove it",
		       t->files->name, line, name, section);
}

static int check_value(const struct config_table *t, const struct config_key *key,
		       const char *value, size_t line, struct err *e)
{
	const char *problem;

	if (key->field == FIELD_LIST && !*value)
		return 0;
	problem = config_value_problem(key->type, key->words, value, NULL);
	if (!problem)
		return 0;
	return err_set(e, ERR_CONFIG, "%s:%zu: %s%s%.200s %s%s%s", t->files->name, line,
		       key->name, *value ? " = " : "", value, problem,
		       key->words && *value ? ": " : "",
		       key->words && *value ? key->words : "");
}

/* A later file overrides; the same file cannot mean both. */
static int check_twice(const struct config_table *t, const struct config_key *key,
		       size_t line, struct err *e)
{
	const struct config_setting *s = config_table_last(t, t->current, key);

	if (key->field == FIELD_LIST || !s || s->file != t->files)
		return 0;
	return err_set(
		e, ERR_CONFIG,
		"%s:%zu: %s is set twice in this section, first in line %zu: remove one",
		t->files->name, line, key->name, s->line);
}

static int add_setting(struct config_table *t, const struct config_key *key,
		       const char *value, size_t line, struct err *e)
{
	size_t n = strlen(value) + 1;
	struct config_setting *s = calloc(1, sizeof(*s) + n);

	if (!s)
		return err_memory(e);
	s->section = t->current;
	s->key = key;
	s->file = t->files;
	s->line = line;
	memcpy(s->value, value, n);
	*t->settings_end = s;
	t->settings_end = &s->next;
	return 0;
}

static int take_key(void *ctx, const char *name, const char *value, size_t line,
		    struct err *e)
{
	struct config_table *t = ctx;
	const struct config_section *s = t->current;
	const struct config_key *key = config_key_find(s->kind, name);

	if (!key)
		return unknown_key(t, s->kind, name, line, e);
	if (strcmp(name, "name") == 0 && strcmp(s->label, "*") == 0)
		return err_set(e, ERR_CONFIG,
			       "%s:%zu: name is of one volume: move it to [volume NAME]",
			       t->files->name, line);
	if (check_value(t, key, value, line, e) < 0 || check_twice(t, key, line, e) < 0)
		return -1;
	return add_setting(t, key, value, line, e);
}

static int add_file(struct config_table *t, const char *name, struct err *e)
{
	size_t n = strlen(name) + 1;
	struct config_file *f = calloc(1, sizeof(*f) + n);

	if (!f)
		return err_memory(e);
	memcpy(f->name, name, n);
	f->next = t->files;
	t->files = f;
	return 0;
}

int config_table_read(struct config_table *t, const char *file, struct err *e)
{
	struct inifile_sink sink = { .ctx = t, .section = take_section, .key = take_key };

	return add_file(t, file, e) < 0 ? -1 : inifile_read(file, &sink, e);
}

/* ---- what is in force ---- */

bool config_table_is_volume(const struct config_section *s)
{
	return s->kind == CONFIG_BIND ||
	       (s->kind == CONFIG_VOLUME && strcmp(s->label, "*") != 0);
}

const struct config_setting *config_table_last(const struct config_table *t,
					       const struct config_section *section,
					       const struct config_key *key)
{
	const struct config_setting *last = NULL;

	if (!section)
		return NULL;
	for (const struct config_setting *s = t->settings; s; s = s->next)
		if (s->section == section && s->key == key)
			last = s;
	return last;
}

const struct config_section *config_table_level(const struct config_table *t,
						const struct config_section *s,
						const struct config_key *key)
{
	if (!s || config_table_last(t, s, key))
		return s;
	if (!config_table_is_volume(s) ||
	    !(key->sections & CONFIG_KEY_IN(CONFIG_DEFAULTS)))
		return NULL;
	s = config_table_section(t, CONFIG_VOLUME, "*");
	if (config_table_last(t, s, key))
		return s;
	s = config_table_section(t, CONFIG_DEFAULTS, "");
	return config_table_last(t, s, key) ? s : NULL;
}

const struct config_setting *config_table_next(const struct config_table *t,
					       const struct config_section *section,
					       const struct config_key *key,
					       const struct config_setting *after)
{
	const struct config_setting *next = NULL, *s = after ? after->next : t->settings;

	for (; section && s; s = s->next) {
		if (s->section != section || s->key != key)
			continue;
		if (!*s->value)
			next = NULL; /* takes away what was before */
		else if (!next)
			next = s;
	}
	return next;
}
