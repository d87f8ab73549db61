/* This host, opened: its configuration, keys, pin, store and the descriptor in force. */
#ifndef JOB_HOST_H
#define JOB_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/catalog.h"
#include "archive/descriptor.h"
#include "archive/key.h"
#include "plan/config.h"

struct err;
struct report;
struct store;

#define HOST_READERS_MAX 4

struct host {
	const struct config *config; /* borrowed */
	struct key_pin pin;
	struct store *store;
	struct descriptor d;
	struct secret *key; /* host key; NULL on a host that only reads */
	uint8_t pk[32];	    /* of it */
	size_t n_readers;
	struct secret *readers[HOST_READERS_MAX]; /* X25519 secrets found */
};
#define HOST_EMPTY { .store = NULL }
#define auto_host __attribute__((cleanup(host_close)))
void host_close(struct host *h);

struct host_options {
	bool write;	      /* the host key is needed */
	const char *key_file; /* --key: a file, or "-" for standard input; NULL */
	/* Where nothing else gives a reading key and one is asked for by host_need_reader: asks a
	 * person for the paper text; returns 1 if there is nobody to ask.  May be NULL. */
	int (*ask)(void *ctx, struct bytes *text, struct err *e);
	void *ask_ctx;
	const struct report *report; /* gets warnings about the store; may be NULL */
};

/* Open pin, store, descriptor (a newer epoch is remembered in the pin), host key, and the reading
 * keys: --key, $CREDENTIALS_DIRECTORY/volsnap.reader, the keys directory.  ERR_KEY without a pin
 * (volsnap init, or key import), ERR_STORE, ERR_DAMAGED. */
int host_open(const struct config *c, const struct host_options *o, struct host *out,
	      struct err *e);
/* At least one reading key, else ask, else ERR_KEY saying where one may come from. */
int host_need_reader(struct host *h, const struct host_options *o, struct err *e);
struct reader_keys host_reader_keys(const struct host *h);

/* Read a recovery key as paper text, or a reader key file, from FILE ("-": standard input). Exactly
 * one of *recovery and *reader is set. */
int host_read_key(const char *file, struct secret **recovery, struct secret **reader,
		  struct err *e);

#endif
