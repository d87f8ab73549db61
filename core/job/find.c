#include "job/find.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "archive/crypto.h"
#include "archive/tip.h"
#include "base/err.h"
#include "base/scope.h"
#include "job/host.h"
#include "store/store.h"

int find_parse(const char *text, struct find_spec *out, struct err *e)
{
	const char *at = strrchr(text, '@'), *slash = strchr(text, '/');
	size_t host = slash && (!at || slash < at) ? (size_t)(slash - text) : 0;
	const char *name = host ? text + host + 1 : text;
	size_t len = at ? (size_t)(at - name) : strlen(name);

	memset(out, 0, sizeof(*out));
	if (len == 0 || len >= sizeof(out->name) || host >= sizeof(out->host) ||
	    (at && (!at[1] || strlen(at + 1) >= sizeof(out->which))))
		return err_set(e, ERR_USAGE, "\"%s\": expected [HOST/]NAME[@WHICH]", text);
	memcpy(out->host, text, host);
	memcpy(out->name, name, len);
	if (at)
		(void)snprintf(out->which, sizeof(out->which), "%s", at + 1);
	return 0;
}

/* What this host's state knows of NAME, as a volume, a bind or a file. */
static bool state_tip(const struct host *h, const char *name, struct tip *t)
{
	static const enum stream_kind kinds[] = { STREAM_VOLUME, STREAM_BIND, STREAM_FILE };
	struct err ignored = ERR_EMPTY;
	const char *why;

	if (!h->key || access(h->config->state_dir, F_OK) < 0)
		return false;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		auto_close int fd = tip_find(h->config->state_dir, kinds[i], name);

		if (fd >= 0 && tip_load(fd, "tip", h->key, t, &why, &ignored) == 0)
			return true;
	}
	return false;
}

bool find_known(const struct host *h, const char *name)
{
	struct tip t;

	return state_tip(h, name, &t) && t.archive.seq > 0;
}

static bool is_predecessor(const struct catalog *c, const struct catalog_stream *s)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->streams[i].has_predecessor &&
		    memcmp(c->streams[i].predecessor.stream_id, s->stream.id, 16) == 0)
			return true;
	return false;
}

/* NAME.SSSSSSSS names a stream by the beginning of its id. */
static bool named_by_id(const struct catalog_stream *s, const char *name)
{
	size_t len = strlen(s->stream.name);
	char id[9];

	crypto_hex(s->stream.id, 4, id);
	return strncmp(name, s->stream.name, len) == 0 && name[len] == '.' &&
	       strcmp(name + len + 1, id) == 0;
}

static int ambiguous(const struct find_spec *spec, const struct catalog *c, const char *host,
		     struct err *e)
{
	size_t n;

	(void)err_set(e, ERR_REFUSED, "%s: several streams have this name; choose one:",
		      spec->name);
	for (size_t i = 0; i < c->n; i++) {
		const struct stream *s = &c->streams[i].stream;
		char id[9];

		if (strcmp(s->host, host) != 0 || strcmp(s->name, spec->name) != 0 ||
		    is_predecessor(c, &c->streams[i]))
			continue;
		crypto_hex(s->id, 4, id);
		n = strlen(e->text);
		(void)snprintf(e->text + n, sizeof(e->text) - n, " %s.%s", s->name, id);
	}
	return -1;
}

static int not_found(const struct find_spec *spec, const char *host, struct err *e)
{
	(void)err_set(e, ERR_NOT_FOUND,
		      "%s: no snapshot of that name by host %s in the store (volsnap list "
		      "shows what there is)",
		      spec->name, host);
	return 1;
}

int find_stream(const struct host *h, const struct catalog *c, const struct find_spec *spec,
		const struct catalog_stream **out, struct err *e)
{
	const char *host = spec->host[0] ? spec->host : h->config->host_name;
	const struct catalog_stream *by_name = NULL, *by_id = NULL;
	struct tip t;
	bool has_state = !spec->host[0] && state_tip(h, spec->name, &t);
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		const struct catalog_stream *s = &c->streams[i];

		if (strcmp(s->stream.host, host) != 0)
			continue;
		if (named_by_id(s, spec->name))
			by_id = s;
		if (strcmp(s->stream.name, spec->name) != 0)
			continue;
		if (has_state && memcmp(s->stream.id, t.stream_id, 16) == 0) {
			*out = s;
			return 0;
		}
		if (!is_predecessor(c, s)) {
			by_name = s;
			n++;
		}
	}
	if (n > 1)
		return ambiguous(spec, c, host, e);
	*out = by_name ? by_name : by_id;
	return *out ? 0 : not_found(spec, host, e);
}

int find_snapshot(const struct host *h, const struct find_spec *spec, struct catalog *c,
		  const struct catalog_stream **stream, const struct snapshot **out,
		  struct err *e)
{
	struct catalog_filter f = { .host = spec->host[0] ? spec->host :
							    h->config->host_name };
	struct reader_keys keys = host_reader_keys(h);
	const char *which = spec->which[0] ? spec->which : "latest";
	int found;

	if (catalog_load(h->store, &h->d, &f, h->key, &keys, c, NULL, e) < 0)
		return -1;
	found = find_stream(h, c, spec, stream, e);
	if (found != 0)
		return found;
	return spec->damaged ? catalog_which_damaged(*stream, which, out, e)
			     : catalog_which(*stream, which, out, e);
}
