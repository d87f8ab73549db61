/* Settings in force put into the fields that the table of keys names.  Declared in
 * config_table.h. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "plan/config.h"
#include "plan/config_table.h"

static char *copy_path(const char *text)
{
	size_t n = strlen(text);

	while (n > 1 && text[n - 1] == '/')
		n--;
	return strndup(text, n);
}

/* The list and its texts are one block of memory. */
static int set_list(const struct config_table *t, const struct config_section *level,
		    const struct config_key *key, struct config_volume *v, struct err *e)
{
	const struct config_setting *s = NULL;
	size_t n = 0, size = 0;
	char **list, *text;

	while ((s = config_table_next(t, level, key, s)) != NULL) {
		size += sizeof(*list) + strlen(s->value) + 1;
		n++;
	}
	list = calloc(1, size + 1);
	if (!list)
		return err_memory(e);
	text = (char *)(list + n);
	for (size_t i = 0; (s = config_table_next(t, level, key, s)) != NULL; i++) {
		list[i] = text;
		text = stpcpy(text, s->value) + 1;
	}
	v->exclude = list;
	v->n_exclude = n;
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

int config_settle(const struct config_table *t, enum config_kind kind,
		  const struct config_section *own, void *base, struct err *e)
{
	const struct config_key *name = config_key_find(CONFIG_VOLUME, "name");
	const struct config_key *key;

	if (own && config_table_is_volume(own) &&
	    set_field(name, own->label, base, e) < 0)
		return -1;
	for (size_t k = 0; (key = config_key_at(k)) != NULL; k++) {
		const struct config_section *level = config_table_level(t, own, key);
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
