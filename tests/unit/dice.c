#include "dice.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t state;

void dice_seed(void)
{
	const char *text = getenv("VOLSNAP_SEED");

	state = text ? strtoull(text, NULL, 10) : (uint64_t)time(NULL);
	printf("# seed %llu\n", (unsigned long long)state);
}

/* splitmix64 */
uint64_t dice(void)
{
	uint64_t z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

size_t dice_below(size_t n) { return (size_t)(dice() % n); }

void dice_bytes(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(dice() >> 32);
}
