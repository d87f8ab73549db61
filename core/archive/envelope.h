/* What a new archive begins with: its identity, its file key, and the file key sealed to
 * whoever may read it (docs/format.md section 6). */
#ifndef ARCHIVE_ENVELOPE_H
#define ARCHIVE_ENVELOPE_H

#include <stdint.h>

#include "archive/part.h"

struct descriptor;
struct err;
struct secret;
struct writer_options;

/* Fill *h (for part 1) and make the file key: 32 bytes in locked memory, *fk, the
 * caller's, freed by crypto_unlock.  ERR_KEY if the descriptor names nobody who could
 * read the archive. */
int envelope_make(const struct writer_options *o, struct part_header *h, uint8_t **fk,
		  struct err *e);
/* The public keys that a host's archives are sealed to, but prune keys: at most ROOM into OUT;
 * returns how many. */
size_t envelope_recipients(const struct descriptor *d, const uint8_t host_pk[32],
			   uint8_t (*out)[32], size_t room);
/* The file key of H's archive, from 32 random bytes and the host key. */
void envelope_file_key(const struct part_header *h, const struct secret *host,
		       const uint8_t random[32], uint8_t fk[32]);

#endif
