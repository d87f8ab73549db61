/* What init, join, import and seal share: a host's three keys, and its grants. */
#ifndef JOB_INIT_KEYS_H
#define JOB_INIT_KEYS_H

#include <stdint.h>

#include "archive/descriptor.h"

struct config;
struct err;
struct store;

struct init_keys {
	struct secret *host, *reader, *prune;
};
/* Make and save host.key, reader.key, prune.key, replacing left-overs of an interrupted run. */
int init_keys_make(int dirfd, struct init_keys *out, struct err *e);
void init_keys_free(struct init_keys *k);
/* 1 with ERR_REFUSED in *e if any key file is there, 0 if none. */
int init_keys_any(int dirfd, struct err *e);
/* store.pin.new -> store.pin: from now on these keys are in use. */
int init_keys_commit(int dirfd, struct err *e);

/* Public key of the authority that RECOVERY derives. */
int init_authority_public(const struct secret *recovery, uint8_t pk[32], struct err *e);
int init_grant_recovery(struct descriptor *d, const struct secret *recovery, struct err *e);
/* Grants of a host: its key, labelled NAME; its reader and prune keys, for itself only. */
int init_grant_host(struct descriptor *d, const struct init_keys *k, const char *name,
		    struct err *e);

/* Open the configured store as RECOVERY's: ERR_KEY if its authority is another one's.  PIN is what
 * this host has seen of it (NULL: nothing), so that nobody signs what follows an older descriptor. */
int init_open_store(const struct config *c, const struct secret *recovery,
		    const struct key_pin *pin, struct store **s, struct descriptor *d,
		    struct err *e);
/* Sign and publish D as the next descriptor. */
int init_publish(struct store *s, struct descriptor *d, const struct secret *recovery,
		 struct err *e);

#endif
