#include "archive/stream.h"

#include <stdio.h>
#include <string.h>

#include "archive/crypto.h"
#include "base/err.h"

void stream_identify(struct stream *s)
{
	struct crypto_hash h;
	uint8_t kind = (uint8_t)s->kind;

	crypto_hash_init(&h, "vs1.stream", NULL, 0, sizeof(s->id));
	crypto_hash_update(&h, s->host_pk, sizeof(s->host_pk));
	crypto_hash_update(&h, &kind, 1);
	crypto_hash_update(&h, s->nonce, sizeof(s->nonce));
	crypto_hash_update(&h, s->name, strlen(s->name));
	crypto_hash_final(&h, s->id);
}

int stream_keys_new(struct stream_keys **out, struct err *e)
{
	*out = crypto_lock(sizeof(**out), e);
	return *out ? 0 : -1;
}

void stream_keys_free(struct stream_keys *k) { crypto_unlock(k); }

int stream_keys_derive(const struct secret *host, const uint8_t stream_id[16],
		       struct stream_keys **out, struct err *e)
{
	if (stream_keys_new(out, e) < 0)
		return -1;
	crypto_b2("vs1.key.id", host->b, 32, stream_id, 16, (*out)->id, 32);
	crypto_b2("vs1.key.gear", host->b, 32, stream_id, 16, (*out)->gear, 32);
	crypto_b2("vs1.key.list", host->b, 32, stream_id, 16, (*out)->list, 32);
	return 0;
}

static bool plain_byte(uint8_t c, bool first)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
	       (c == '.' && !first);
}

void stream_escape(const char *label, char out[STORE_NAME_MAX])
{
	char full[3 * VOLUME_NAME_MAX + 1];
	size_t n = 0, len = strlen(label);
	uint8_t hash[16];

	for (size_t i = 0; i < len && i < VOLUME_NAME_MAX; i++) {
		uint8_t c = (uint8_t)label[i];

		if (plain_byte(c, i == 0))
			full[n++] = (char)c;
		else
			n += (size_t)snprintf(full + n, 4, "%%%02x", c);
	}
	full[n] = '\0';
	if (n <= 200) {
		memcpy(out, full, n + 1);
		return;
	}
	crypto_b2("vs1.name", NULL, 0, label, len, hash, sizeof(hash));
	memcpy(out, full, 183);
	out[183] = '~';
	crypto_hex(hash, 8, out + 184);
}

void stream_dir(const struct stream *s, char *out, size_t size)
{
	char host[STORE_NAME_MAX], name[STORE_NAME_MAX], id[9];

	stream_escape(s->host, host);
	stream_escape(s->name, name);
	crypto_hex(s->id, 4, id);
	(void)snprintf(out, size, "s/%s/%s.%s", host, name, id);
}
