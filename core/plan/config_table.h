/* All that the files say, with the place of each setting; what is in force is looked up
 * here by precedence.  Shared by config.c, which settles struct config, and
 * config_show.c. */
#ifndef PLAN_CONFIG_TABLE_H
#define PLAN_CONFIG_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "plan/config_key.h"

struct config;
struct err;

#define CONFIG_NOWHERE ((size_t)-1)

struct config_section {
	enum config_kind kind;
	char *label; /* "db", "*"; NULL where the kind has none */
	char *file;  /* where it first begins */
	size_t line;
};

struct config_setting {
	size_t section;
	const struct config_key *key;
	char *value;
	char *file;
	size_t line;
	size_t file_no;
};

struct config_table {
	struct config_section *sections;
	size_t n_sections;
	struct config_setting *settings; /* in the order of the files */
	size_t n_settings;
	/* while reading */
	const char *file;
	size_t file_no, current;
};

struct config_table *config_table_new(struct err *e);
void config_table_free(struct config_table *t);
/* Add what FILE says; checks section, key and value for themselves. */
int config_table_read(struct config_table *t, const char *file, struct err *e);

/* The section of KIND and LABEL (NULL: the kind has none), or CONFIG_NOWHERE. */
size_t config_table_section(const struct config_table *t, enum config_kind kind,
			    const char *label);
/* Whether section I is a volume or a bind, and not [volume *]. */
bool config_table_is_volume(const struct config_table *t, size_t i);
/* The section whose settings of KEY are in force for section I (CONFIG_NOWHERE allowed):
 * for a volume its own, [volume *], [defaults].  CONFIG_NOWHERE: none says anything. */
size_t config_table_level(const struct config_table *t, size_t i,
			  const struct config_key *key);
/* The last setting of KEY in section I, or NULL. */
const struct config_setting *config_table_last(const struct config_table *t, size_t i,
					       const struct config_key *key);
/* The settings of a list in section I: the first (AFTER NULL) or the one after AFTER;
 * NULL at the end.  An empty value takes away all before it. */
const struct config_setting *config_table_next(const struct config_table *t, size_t i,
					       const struct config_key *key,
					       const struct config_setting *after);

/* config_load with the default file and directory replaced, for tests; DIR may be NULL.
 */
int config_load_from(const char *file, const char *dir, struct config *out,
		     struct err *e);

#endif
