/* What a value in the configuration may be, and what it then is. */
#ifndef PLAN_CONFIG_VALUE_H
#define PLAN_CONFIG_VALUE_H

#include <stdbool.h>
#include <stdint.h>

enum config_type {
	CONFIG_TEXT,	    /* anything but nothing */
	CONFIG_LABEL,	    /* 1-63 of [a-zA-Z0-9_.-] */
	CONFIG_VOLUME_NAME, /* as docker allows: [a-zA-Z0-9][a-zA-Z0-9_.-]*, at most 255
			     */
	CONFIG_PATH,	    /* absolute */
	CONFIG_WORD,	    /* one of a list */
	CONFIG_BOOL,	    /* yes, no */
	CONFIG_LEVEL,	    /* off, 1-9 */
	CONFIG_COUNT,	    /* a number */
	CONFIG_SIZE,	    /* bytes: a number and K, M, G or nothing */
	CONFIG_DURATION,    /* milliseconds: a number and s, m, h or d; or 0 */
};

/* NULL if TEXT is a value of TYPE, else what it must be (static text, "must be ...").
 * *out, which may be NULL, is the number it stands for: of a word its place in WORDS, of
 * yes 1, of off 0. */
const char *config_value_problem(enum config_type type, const char *words,
				 const char *text, uint64_t *out);

#endif
