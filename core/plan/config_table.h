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

struct config_file {
	struct config_file *next;
	char name[];
};

struct config_section {
	struct config_section *next;
	enum config_kind kind;
	const struct config_file *file; /* where it first begins */
	size_t line;
	char label[]; /* "db", "*"; "" where the kind has none */
};

struct config_setting {
	struct config_setting *next;
	const struct config_section *section;
	const struct config_key *key;
	const struct config_file *file;
	size_t line;
	char value[];
};

struct config_table {
	struct config_file *files;	 /* the last read first */
	struct config_section *sections; /* in the order of the files */
	struct config_setting *settings; /* likewise */
	struct config_section **sections_end;
	struct config_setting **settings_end;
	const struct config_section *current; /* while reading */
};

struct config_table *config_table_new(struct err *e);
void config_table_free(struct config_table *t);
/* Add what FILE says; checks section, key and value for themselves. */
int config_table_read(struct config_table *t, const char *file, struct err *e);

/* The section of KIND and LABEL ("" where the kind has none), or NULL. */
const struct config_section *config_table_section(const struct config_table *t,
						  enum config_kind kind,
						  const char *label);
/* Whether S is a volume or a bind, and not [volume *]. */
bool config_table_is_volume(const struct config_section *s);
/* The section whose settings of KEY are in force for section S (which may be NULL): for a
 * volume its own, [volume *], [defaults].  NULL: none says anything. */
const struct config_section *config_table_level(const struct config_table *t,
						const struct config_section *s,
						const struct config_key *key);
/* The last setting of KEY in section S (NULL: there is none), or NULL. */
const struct config_setting *config_table_last(const struct config_table *t,
					       const struct config_section *s,
					       const struct config_key *key);
/* The settings of a list in section S: the first (AFTER NULL) or the one after AFTER;
 * NULL at the end.  An empty value takes away all before it. */
const struct config_setting *config_table_next(const struct config_table *t,
					       const struct config_section *s,
					       const struct config_key *key,
					       const struct config_setting *after);

/* Fill the fields of BASE, a struct config or config_volume, from all keys that may stand in a
 * section of KIND; OWN is that section, NULL where no file has it.  A volume's name is its label
 * unless a key says another. */
int config_settle(const struct config_table *t, enum config_kind kind,
		  const struct config_section *own, void *base, struct err *e);

/* config_load with the default file and directory replaced, for tests; DIR may be NULL.
 */
int config_load_from(const char *file, const char *dir, struct config *out,
		     struct err *e);

#endif
