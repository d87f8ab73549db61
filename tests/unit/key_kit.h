/* What test_key.c and test_paper.c share: a key of known bytes. */
#ifndef TESTS_KEY_KIT_H
#define TESTS_KEY_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "archive/key.h"
#include "base/err.h"

static inline struct secret *known_secret(void)
{
	struct err e = ERR_EMPTY;
	struct secret *s = secret_new(&e);

	assert_non_null(s);
	for (size_t i = 0; i < sizeof(s->b); i++)
		s->b[i] = (uint8_t)(i * 7 + 3);
	return s;
}

#endif
