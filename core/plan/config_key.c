#include "plan/config_key.h"

#include <stdbool.h>
#include <string.h>

#include "plan/config.h"

#define IN(kind) CONFIG_KEY_IN(CONFIG_##kind)
#define PER_VOLUME (IN(DEFAULTS) | IN(VOLUME) | IN(BIND))
#define OF(member) offsetof(struct config, member)
#define OF_VOLUME(member) offsetof(struct config_volume, member)
#define QUIESCE "auto btrfs reflink two-pass pause stop none"

/* clang-format off */
static const struct config_key keys[] = {
	{ "name", IN(HOST), CONFIG_LABEL, FIELD_TEXT, OF(host_name), NULL, NULL },
	{ "location", IN(STORE), CONFIG_PATH, FIELD_TEXT, OF(store_location),
	  "/var/backups/volsnap", NULL },
	{ "max_size", IN(STORE), CONFIG_SIZE, FIELD_NONE, 0, NULL, NULL },
	{ "min_free", IN(STORE), CONFIG_SIZE, FIELD_NONE, 0, NULL, NULL },
	{ "grace", IN(STORE), CONFIG_DURATION, FIELD_NONE, 0, "0", NULL },
	{ "read_back", IN(STORE), CONFIG_BOOL, FIELD_NONE, 0, "no", NULL },
	{ "directory", IN(KEYS), CONFIG_PATH, FIELD_TEXT, OF(keys_dir),
	  "/etc/volsnap/keys", NULL },
	{ "directory", IN(STATE), CONFIG_PATH, FIELD_TEXT, OF(state_dir),
	  "/var/lib/volsnap", NULL },
	{ "kind", IN(ENGINE), CONFIG_WORD, FIELD_ENGINE, OF(engine), "auto",
	  "auto docker podman none" },
	{ "socket", IN(ENGINE), CONFIG_PATH, FIELD_TEXT, OF(engine_socket), NULL, NULL },
	{ "volumes_dir", IN(ENGINE), CONFIG_PATH, FIELD_TEXT, OF(volumes_dir),
	  "/var/lib/docker/volumes", NULL },
	{ "name", IN(VOLUME), CONFIG_VOLUME_NAME, FIELD_TEXT, OF_VOLUME(name), NULL,
	  NULL },
	{ "path", IN(BIND), CONFIG_PATH, FIELD_TEXT, OF_VOLUME(path), NULL, NULL },
	{ "schedule", PER_VOLUME, CONFIG_TEXT, FIELD_TEXT, OF_VOLUME(schedule), "daily",
	  NULL },
	{ "keep", PER_VOLUME, CONFIG_TEXT, FIELD_TEXT, OF_VOLUME(keep),
	  "last:3 daily:7 weekly:4 monthly:6", NULL },
	{ "min_keep", PER_VOLUME, CONFIG_COUNT, FIELD_U64, OF_VOLUME(min_keep), "3",
	  NULL },
	{ "exclude", PER_VOLUME, CONFIG_TEXT, FIELD_LIST, OF_VOLUME(exclude), NULL,
	  NULL },
	{ "one_file_system", PER_VOLUME, CONFIG_BOOL, FIELD_BOOL,
	  OF_VOLUME(one_file_system),
	  "no", NULL },
	{ "compression", PER_VOLUME, CONFIG_LEVEL, FIELD_INT, OF_VOLUME(compression),
	  "1", NULL },
	{ "quiesce", PER_VOLUME, CONFIG_WORD, FIELD_TEXT, OF_VOLUME(quiesce), "auto",
	  QUIESCE },
	{ "max_pause", PER_VOLUME, CONFIG_DURATION, FIELD_U64, OF_VOLUME(max_pause_ms),
	  "10s", NULL },
	{ "max_pause_then", PER_VOLUME, CONFIG_WORD, FIELD_NONE, 0, "fail", "fail live" },
	{ "checkpoint", PER_VOLUME, CONFIG_DURATION, FIELD_U64, OF_VOLUME(checkpoint_ms),
	  "30m", NULL },
	{ "racy_window", PER_VOLUME, CONFIG_DURATION, FIELD_U64,
	  OF_VOLUME(racy_window_ms), "60s", NULL },
	{ "max_age", PER_VOLUME, CONFIG_DURATION, FIELD_U64, OF_VOLUME(max_age_ms), NULL,
	  NULL },
};
/* clang-format on */

#define N_KEYS (sizeof(keys) / sizeof(keys[0]))

static const char *const kinds[CONFIG_KINDS] = {
	[CONFIG_HOST] = "host",	    [CONFIG_STORE] = "store",
	[CONFIG_KEYS] = "keys",	    [CONFIG_STATE] = "state",
	[CONFIG_ENGINE] = "engine", [CONFIG_DEFAULTS] = "defaults",
	[CONFIG_VOLUME] = "volume", [CONFIG_BIND] = "bind",
};

const struct config_key *config_key_at(size_t i) { return i < N_KEYS ? &keys[i] : NULL; }

const struct config_key *config_key_find(enum config_kind kind, const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if ((keys[i].sections & CONFIG_KEY_IN(kind)) &&
		    strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

const struct config_key *config_key_any(const char *name)
{
	for (size_t i = 0; i < N_KEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

const char *config_kind_name(enum config_kind kind) { return kinds[kind]; }

enum config_kind config_kind_find(const char *name, size_t n)
{
	for (unsigned k = 0; k < CONFIG_KINDS; k++)
		if (strlen(kinds[k]) == n && memcmp(kinds[k], name, n) == 0)
			return (enum config_kind)k;
	return CONFIG_KINDS;
}

/* ---- did you mean ---- */

#define WORD_MAX 64

static unsigned least(unsigned a, unsigned b) { return a < b ? a : b; }

/* Letters to insert, remove or replace to make B of A. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[WORD_MAX + 1];
	size_t n = strlen(b);

	if (strlen(a) > WORD_MAX || n > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned i = 1; a[i - 1]; i++) {
		unsigned corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= n; j++) {
			unsigned above = row[j];

			row[j] = least(least(above, row[j - 1]) + 1,
				       corner + (a[i - 1] != b[j - 1]));
			corner = above;
		}
	}
	return row[n];
}

/* Take WORD for what TEXT means if nothing nearer was seen: two letters off at most, and
 * not another word altogether. */
static void consider(const char *text, const char *word, const char **best,
		     unsigned *nearest)
{
	unsigned far = distance(text, word);

	if (far <= 2 && far < strlen(word) && far < *nearest) {
		*nearest = far;
		*best = word;
	}
}

const char *config_key_guess(enum config_kind kind, const char *name)
{
	const char *best = NULL;
	unsigned nearest = WORD_MAX;

	for (size_t i = 0; i < N_KEYS; i++)
		if (keys[i].sections & CONFIG_KEY_IN(kind))
			consider(name, keys[i].name, &best, &nearest);
	return best;
}

const char *config_kind_guess(const char *name)
{
	const char *best = NULL;
	unsigned nearest = WORD_MAX;

	for (unsigned k = 0; k < CONFIG_KINDS; k++)
		consider(name, kinds[k], &best, &nearest);
	return best;
}
