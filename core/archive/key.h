/* Keys at rest and in memory: key files, the pin, the recovery key and its paper text
 * (docs/format.md section 2, DESIGN "Keys"). */
#ifndef ARCHIVE_KEY_H
#define ARCHIVE_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes;
struct err;

enum key_role { KEY_HOST = 1, KEY_RECOVERY = 2, KEY_READER = 3, KEY_PRUNE = 4 };

#define KEY_FILE_LEN 64
#define KEY_PAPER_MAX 128 /* bytes of paper text with the final NUL */

/* 32 secret bytes in locked memory; NULL where there is none. */
struct secret {
	uint8_t b[32];
};
struct secret *secret_new(struct err *e);	     /* zeroed */
struct secret *secret_random(struct err *e);
void secret_free(struct secret *s);		     /* wipes */

/* Write NAME ("host.key") for ROLE into directory DIRFD, 0600 from creation, durable.
 * Returns 1 if it exists and REPLACE is false. */
int key_save(int dirfd, const char *name, enum key_role role, const struct secret *s,
	     bool replace, struct err *e);
/* Load; *out is the caller's.  Returns 1 if there is no such file.  A damaged file, or one of
 * another role, is ERR_KEY; so is one that group or others may read (the message says chmod). */
int key_load(int dirfd, const char *name, enum key_role role, struct secret **out, struct err *e);
/* Decode the 64 bytes of a key file. */
int key_decode(const uint8_t raw[KEY_FILE_LEN], enum key_role role, struct secret **out,
	       struct err *e);

/* Paper text of recovery key S: six lines, each "XXXXX XXXXX C\n". */
void key_paper(const struct secret *s, char out[KEY_PAPER_MAX]);
/* Parse paper text (comment lines allowed).  ERR_KEY names the line that was mistyped. */
int key_from_paper(const char *text, size_t n, struct secret **out, struct err *e);

/* What the recovery key derives. */
int key_recovery_reader(const struct secret *recovery, struct secret **x_secret, struct err *e);
int key_recovery_authority(const struct secret *recovery, struct secret **seed, struct err *e);
/* What a prune key derives. */
int key_prune_x(const struct secret *prune, struct secret **x_secret, struct err *e);
int key_prune_sign(const struct secret *prune, struct secret **seed, struct err *e);

/* The pin: which store and authority this host trusts, and the highest epoch it saw.
 * File "store.pin": "volsnap pin 1\nstore HEX32\nauthority HEX64\nepoch N\n". */
struct key_pin {
	uint8_t store_id[16];
	uint8_t authority[32];
	uint32_t epoch;
};
int key_pin_save(int dirfd, const char *name, const struct key_pin *pin, struct err *e);
/* 1: no such file. */
int key_pin_load(int dirfd, const char *name, struct key_pin *pin, struct err *e);

#endif
