/* The keys of the configuration: where each may stand, what its values are, what it is
 * without being set, and where it goes in struct config or struct config_volume. */
#ifndef PLAN_CONFIG_KEY_H
#define PLAN_CONFIG_KEY_H

#include <stddef.h>

#include "plan/config_value.h"

enum config_kind {
	CONFIG_HOST,
	CONFIG_STORE,
	CONFIG_KEYS,
	CONFIG_STATE,
	CONFIG_ENGINE,
	CONFIG_DEFAULTS,
	CONFIG_VOLUME,
	CONFIG_BIND,
	CONFIG_KINDS
};

enum config_field {
	FIELD_NONE, /* checked and shown; no command uses it yet */
	FIELD_TEXT,
	FIELD_LIST, /* the key may be given many times */
	FIELD_ENGINE,
	FIELD_BOOL,
	FIELD_INT,
	FIELD_U64,
};

struct config_key {
	const char *name;
	unsigned sections; /* bit CONFIG_KEY_IN(kind) of each it may stand in */
	enum config_type type;
	enum config_field field;
	size_t at;	      /* offset of the field */
	const char *built_in; /* value without being set; NULL: none */
	const char *words;    /* of CONFIG_WORD, blanks between them */
};

#define CONFIG_KEY_IN(kind) (1U << (kind))

/* Key I in the order in which they are shown, NULL beyond the last. */
const struct config_key *config_key_at(size_t i);
/* NAME where it stands in a section of KIND, or NULL. */
const struct config_key *config_key_find(enum config_kind kind, const char *name);
/* NAME wherever it may stand, or NULL. */
const struct config_key *config_key_any(const char *name);
/* The name in a section of KIND that NAME is probably meant to be, or NULL. */
const char *config_key_guess(enum config_kind kind, const char *name);

/* "host", "volume"; and the other way round, CONFIG_KINDS where NAME (N bytes) is none.
 */
const char *config_kind_name(enum config_kind kind);
enum config_kind config_kind_find(const char *name, size_t n);
const char *config_kind_guess(const char *name);

#endif
