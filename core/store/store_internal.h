/* What store.c and store_part.c share. */
#ifndef STORE_INTERNAL_H
#define STORE_INTERNAL_H

#include <stdint.h>

struct store {
	int dirfd;
	char *location;
	uint8_t id[16];
};

#endif
