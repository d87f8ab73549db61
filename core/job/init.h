/* Making keys and store, joining a store, importing a recovery key, sealing a host (DESIGN 4.8).
 *
 * The commit of an init is store.pin in the keys directory.  Before that a new init starts over, or
 * finishes what an interrupted one began: store.pin.new names the store and authority it was for. */
#ifndef JOB_INIT_H
#define JOB_INIT_H

#include <stdbool.h>
#include <stdint.h>

struct config;
struct err;
struct secret;

enum init_state {
	INIT_FRESH,    /* nothing there */
	INIT_RESUMED,  /* an interrupted init was finished by init_begin: nothing is left to do */
	INIT_AGAIN,    /* an interrupted init is begun anew (its keys were never used) */
};

/* What is there?  ERR_REFUSED if keys or store exist already. */
int init_begin(const struct config *c, enum init_state *state, struct err *e);
/* Make the recovery key; *again (may be NULL) is the key on the paper file of an interrupted
 * init: if it is the one that this init began with it is used again. */
int init_recovery(const struct config *c, const struct secret *again, struct secret **out,
		  struct err *e);
/* Keys, store, descriptor of epoch 1, pin.  RECOVERY is proven known to the operator. */
int init_finish(const struct config *c, const struct secret *recovery, struct err *e);

/* --join: keys of this host, and the next descriptor of the store there is. ERR_REFUSED if keys
 * exist, or if the store knows a host of this name. */
int init_join(const struct config *c, const struct secret *recovery, struct err *e);

/* key import: reader key from the recovery key, and the pin.  ERR_REFUSED if there is another
 * pin or reader key, ERR_KEY if the store is not this recovery key's. */
int init_import(const struct config *c, const struct secret *recovery, struct err *e);

/* key seal: next descriptor without this host's reader key (and, with PRUNE, its prune key), then
 * remove the files.  *epoch is the new one. 1: sealed already. */
int init_seal(const struct config *c, const struct secret *recovery, bool prune, uint32_t *epoch,
	      struct err *e);

#endif
