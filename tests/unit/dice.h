/* Random numbers for tests that try many cases: VOLSNAP_SEED sets the seed, which is printed. */
#ifndef TESTS_DICE_H
#define TESTS_DICE_H

#include <stddef.h>
#include <stdint.h>

void dice_seed(void);
uint64_t dice(void);
/* Below N. */
size_t dice_below(size_t n);
void dice_bytes(uint8_t *p, size_t n);

#endif
