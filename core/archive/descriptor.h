/* The store's signed descriptor: who may write, read and prune (docs/format.md section 3). */
#ifndef ARCHIVE_DESCRIPTOR_H
#define ARCHIVE_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "archive/key.h"

struct bytes;
struct err;
struct report;
struct store;

#define LABEL_MAX 63
#define DESCRIPTOR_LEN_MAX 65536 /* bytes of an encoded one */

struct grant {
	enum key_role role;
	bool one_host; /* scope */
	uint8_t sign_pk[32], seal_pk[32], scope_host[32];
	char label[LABEL_MAX + 1];
};

struct descriptor {
	uint32_t epoch;
	uint8_t store_id[16], previous[32], authority[32], hash[32];
	size_t n_grants;
	struct grant *grants;
};

#define DESCRIPTOR_EMPTY { .grants = NULL }
#define auto_descriptor __attribute__((cleanup(descriptor_free)))
void descriptor_free(struct descriptor *d);

int descriptor_add(struct descriptor *d, const struct grant *g, struct err *e);
/* Remove all grants of ROLE whose scope is HOST; returns how many. */
size_t descriptor_remove(struct descriptor *d, enum key_role role, const uint8_t host[32]);
/* The host grant of HOST_PK, or NULL. */
const struct grant *descriptor_host(const struct descriptor *d, const uint8_t host_pk[32]);
/* The host grant labelled LABEL, or NULL. */
const struct grant *descriptor_label(const struct descriptor *d, const char *label);

/* Encode and sign with the authority's seed; fills d->hash. */
int descriptor_encode(struct descriptor *d, const struct secret *authority_seed,
		      struct bytes *out, struct err *e);
/* Decode; checks structure and signature under the authority it names, not whom to trust. */
int descriptor_decode(const uint8_t *p, size_t n, struct descriptor *out, struct err *e);
/* Whether AUTHORITY (NULL: the one they name) signed these bytes as a descriptor, be it of a version
 * that descriptor_decode does not know. */
bool descriptor_signed(const uint8_t *p, size_t n, const uint8_t authority[32]);

/* What a host knows of the descriptors that it believes. */
struct descriptor_trust {
	const uint8_t *store_id;  /* 16 bytes */
	const uint8_t *authority; /* 32 bytes; NULL: whatever the first one names, only for showing */
	uint32_t min_epoch;	  /* the newest one seen before */
	const struct report *report; /* gets a warning for each file passed over; may be NULL */
};
/* The descriptor in force in STORE: reads r/ and follows the chain from the lowest epoch there is.
 * A file that is not the descriptor, by this authority and of this store, that its name says is
 * passed over: anybody may have put it there.  Where no other is left the error says why
 * (ERR_STORE "not the expected store", ERR_DAMAGED).  One that was signed and is not understood, or
 * does not continue the chain, is ERR_DAMAGED, and so is an end of the chain below min_epoch. */
int descriptor_load(struct store *store, const struct descriptor_trust *t,
		    struct descriptor *out, struct err *e);
/* Put d (epoch, previous already set) into the store; 1 if that epoch exists already.
 * ERR_DAMAGED if something else is in its place. */
int descriptor_publish(struct store *store, struct descriptor *d,
		       const struct secret *authority_seed, struct err *e);

#endif
