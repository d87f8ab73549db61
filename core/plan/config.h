/* Configuration (DESIGN 8; volsnap.conf(5)). */
#ifndef PLAN_CONFIG_H
#define PLAN_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct config_table;
struct err;

#define CONFIG_DEFAULT_FILE "/etc/volsnap/volsnap.conf"
#define CONFIG_DEFAULT_DIR "/etc/volsnap/conf.d"

enum volume_kind { VOLUME_NAMED = 1, VOLUME_BIND = 2 };
enum engine_kind { ENGINE_AUTO, ENGINE_DOCKER, ENGINE_PODMAN, ENGINE_NONE };

struct config_volume {
	enum volume_kind kind;
	char *name;
	char *path; /* of a bind; NULL for named volumes */
	/* settled by precedence: own section, [volume *], [defaults], built-in */
	char **exclude;
	size_t n_exclude;
	int compression; /* 0 off, 1..9; built-in 1 */
	bool one_file_system;
	char *schedule, *keep, *quiesce; /* text as written; checked, used by later commands */
	uint64_t max_pause_ms, checkpoint_ms, racy_window_ms, max_age_ms;
	uint64_t min_keep;
};

struct config {
	char *host_name;      /* [host] name; built-in: the host's name, lower case */
	char *store_location; /* built-in /var/backups/volsnap */
	char *keys_dir;	      /* /etc/volsnap/keys */
	char *state_dir;      /* /var/lib/volsnap */
	enum engine_kind engine;
	char *engine_socket;
	char *volumes_dir; /* built-in /var/lib/docker/volumes */
	size_t n_volumes;
	struct config_volume *volumes; /* in the order of the files */
	struct config_table *table; /* every setting and its place, for config_show */
};
#define CONFIG_EMPTY { .host_name = NULL }
#define auto_config __attribute__((cleanup(config_free)))
void config_free(struct config *c);

/* FILE NULL: the default file and conf.d.  ERR_CONFIG: "FILE:LINE: ...". */
int config_load(const char *file, struct config *out, struct err *e);
/* NULL if it is not configured.  A named volume that only exists in volumes_dir is not. */
const struct config_volume *config_find(const struct config *c, const char *name);
/* The directory (or file) of V: its path, or volumes_dir/NAME/_data.  malloc'ed. */
char *config_source(const struct config *c, const struct config_volume *v);
/* Put "FILE:LINE: " of the section of V, which is one of C's volumes, before the sentence in *e, as
 * ERR_CONFIG; returns -1. */
int config_mistake(const struct config *c, const struct config_volume *v, struct err *e);
/* The configuration in force as an INI text, comments naming where each value came from
 * ("config show").  malloc'ed; NULL when memory is short.  Contains no secrets. */
char *config_show(const struct config *c);

#endif
