/* Collects settings from the files (through inifile.c) and looks them up by precedence.
 * Each mistake is said with its file and line, and what to do about it. */
#include "plan/config_table.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/scope.h"
#include "plan/inifile.h"

struct config_table *config_table_new(struct err *e)
{
	struct config_table *t = calloc(1, sizeof(*t));

	if (!t)
		(void)err_memory(e);
	return t;
}

void config_table_free(struct config_table *t)
{
	if (!t)
		return;
	for (size_t i = 0; i < t->n_sections; i++) {
		free(t->sections[i].label);
		free(t->sections[i].file);
	}
	for (size_t i = 0; i < t->n_settings; i++) {
		free(t->settings[i].value);
		free(t->settings[i].file);
	}
	free(t->sections);
	free(t->settings);
	free(t);
}

/* ---- sections ---- */

static bool same_label(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

size_t config_table_section(const struct config_table *t, enum config_kind kind,
			    const char *label)
{
	for (size_t i = 0; i < t->n_sections; i++)
		if (t->sections[i].kind == kind &&
		    same_label(t->sections[i].label, label))
			return i;
	return CONFIG_NOWHERE;
}

static int add_section(struct config_table *t, enum config_kind kind, const char *label,
		       size_t line, struct err *e)
{
	auto_free char *file = strdup(t->file), *own = label ? strdup(label) : NULL;
	struct config_section *more =
		reallocarray(t->sections, t->n_sections + 1, sizeof(*more));

	if (!more)
		return err_memory(e);
	t->sections = more;
	if (!file || (label && !own))
		return err_memory(e);
	more[t->n_sections++] = (struct config_section){
		.kind = kind,
		.label = own,
		.file = file,
		.line = line,
	};
	file = own = NULL; /* given away */
	return 0;
}

static int unknown_section(const struct config_table *t, const char *name,
			   const char *word, size_t line, struct err *e)
{
	const char *guess = config_kind_guess(word);

	if (guess)
		return err_set(e, ERR_CONFIG,
			       "%s:%zu: unknown section [%s]: did you mean [%s%s?",
			       t->file, line, name, guess,
			       strcmp(guess, "volume") == 0 || strcmp(guess, "bind") == 0
				       ? " NAME]"
				       : "]");
	return err_set(e, ERR_CONFIG,
		       "%s:%zu: unknown section [%s]: there are [host], [store], [keys], "
		       "[state], "
		       "[engine], [defaults], [volume NAME] and [bind NAME]",
		       t->file, line, name);
}

/* LABEL is what follows the first word, "" for nothing. */
static int check_label(const struct config_table *t, enum config_kind kind,
		       const char *label, size_t line, struct err *e)
{
	const char *word = config_kind_name(kind), *problem;

	if (kind != CONFIG_VOLUME && kind != CONFIG_BIND)
		return *label ? err_set(e, ERR_CONFIG,
					"%s:%zu: [%s] has no name: write [%s]", t->file,
					line, word, word)
			      : 0;
	if (!*label)
		return err_set(e, ERR_CONFIG, "%s:%zu: which %s? write [%s NAME]",
			       t->file, line, word, word);
	if (kind == CONFIG_VOLUME && strcmp(label, "*") == 0)
		return 0;
	problem = config_value_problem(CONFIG_VOLUME_NAME, NULL, label, NULL);
	if (problem)
		return err_set(e, ERR_CONFIG, "%s:%zu: [%s %s]: the name %s", t->file,
			       line, word, label, problem);
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
	label = *label ? label : NULL;
	t->current = config_table_section(t, kind, label);
	if (t->current != CONFIG_NOWHERE)
		return 0;
	t->current = t->n_sections;
	return add_section(t, kind, label, line, e);
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
					t->file, line, name, section,
					config_kind_name((enum config_kind)k),
					k >= CONFIG_VOLUME ? " NAME" : "");
	if (guess)
		return err_set(e, ERR_CONFIG,
			       "%s:%zu: unknown key %s in [%s]: did you mean %s?",
			       t->file, line, name, section, guess);
	return err_set(e, ERR_CONFIG,
		       "%s:%zu: unknown key %s in [%s]: correct or remove it", t->file,
		       line, name, section);
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
	return err_set(e, ERR_CONFIG, "%s:%zu: %s%s%.200s %s%s%s", t->file, line,
		       key->name, *value ? " = " : "", value, problem,
		       key->words && *value ? ": " : "",
		       key->words && *value ? key->words : "");
}

/* A later file overrides; the same file cannot mean both. */
static int check_twice(const struct config_table *t, const struct config_key *key,
		       size_t line, struct err *e)
{
	const struct config_setting *s = config_table_last(t, t->current, key);

	if (key->field == FIELD_LIST || !s || s->file_no != t->file_no)
		return 0;
	return err_set(
		e, ERR_CONFIG,
		"%s:%zu: %s is set twice in this section, first in line %zu: remove one",
		t->file, line, key->name, s->line);
}

static int add_setting(struct config_table *t, const struct config_key *key,
		       const char *value, size_t line, struct err *e)
{
	auto_free char *file = strdup(t->file), *own = strdup(value);
	struct config_setting *more =
		reallocarray(t->settings, t->n_settings + 1, sizeof(*more));

	if (!more)
		return err_memory(e);
	t->settings = more;
	if (!file || !own)
		return err_memory(e);
	more[t->n_settings++] = (struct config_setting){
		.section = t->current,
		.key = key,
		.value = own,
		.file = file,
		.line = line,
		.file_no = t->file_no,
	};
	file = own = NULL; /* given away */
	return 0;
}

static int take_key(void *ctx, const char *name, const char *value, size_t line,
		    struct err *e)
{
	struct config_table *t = ctx;
	const struct config_section *s = &t->sections[t->current];
	const struct config_key *key = config_key_find(s->kind, name);

	if (!key)
		return unknown_key(t, s->kind, name, line, e);
	if (strcmp(name, "name") == 0 && s->label && strcmp(s->label, "*") == 0)
		return err_set(e, ERR_CONFIG,
			       "%s:%zu: name is of one volume: move it to [volume NAME]",
			       t->file, line);
	if (check_value(t, key, value, line, e) < 0 || check_twice(t, key, line, e) < 0)
		return -1;
	return add_setting(t, key, value, line, e);
}

int config_table_read(struct config_table *t, const char *file, struct err *e)
{
	struct inifile_sink sink = { .ctx = t, .section = take_section, .key = take_key };

	t->file = file;
	t->file_no++;
	return inifile_read(file, &sink, e);
}

/* ---- what is in force ---- */

bool config_table_is_volume(const struct config_table *t, size_t i)
{
	const struct config_section *s = &t->sections[i];

	return s->kind == CONFIG_BIND ||
	       (s->kind == CONFIG_VOLUME && strcmp(s->label, "*") != 0);
}

const struct config_setting *config_table_last(const struct config_table *t, size_t i,
					       const struct config_key *key)
{
	const struct config_setting *last = NULL;

	for (size_t k = 0; k < t->n_settings; k++)
		if (t->settings[k].section == i && t->settings[k].key == key)
			last = &t->settings[k];
	return last;
}

size_t config_table_level(const struct config_table *t, size_t i,
			  const struct config_key *key)
{
	if (config_table_last(t, i, key))
		return i;
	if (i == CONFIG_NOWHERE || !config_table_is_volume(t, i) ||
	    !(key->sections & CONFIG_KEY_IN(CONFIG_DEFAULTS)))
		return CONFIG_NOWHERE;
	i = config_table_section(t, CONFIG_VOLUME, "*");
	if (config_table_last(t, i, key))
		return i;
	i = config_table_section(t, CONFIG_DEFAULTS, NULL);
	return config_table_last(t, i, key) ? i : CONFIG_NOWHERE;
}

const struct config_setting *config_table_next(const struct config_table *t, size_t i,
					       const struct config_key *key,
					       const struct config_setting *after)
{
	const struct config_setting *next = NULL;
	size_t k = after ? (size_t)(after - t->settings) + 1 : 0;

	for (; k < t->n_settings; k++) {
		const struct config_setting *s = &t->settings[k];

		if (s->section != i || s->key != key)
			continue;
		if (!*s->value)
			next = NULL; /* takes away what was before */
		else if (!next)
			next = s;
	}
	return next;
}
