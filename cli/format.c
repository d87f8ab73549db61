#include <limits.h>
#include <stdio.h>
#include <time.h>

#include "cli.h"

#define ROOM 48

static char *next_room(void)
{
	static char rooms[4][ROOM];
	static unsigned turn;

	return rooms[turn++ % 4];
}

const char *cli_size(unsigned long long bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	char *out = next_room();
	double v = (double)bytes;
	unsigned u = 0;

	while (v >= 1023.95 && u < 5) {
		v /= 1024;
		u++;
	}
	(void)snprintf(out, ROOM, u == 0 ? "%.0f %s" : "%.1f %s", v, units[u]);
	return out;
}

const char *cli_time_s(long long s)
{
	time_t t = (time_t)s;
	char *out = next_room();
	struct tm tm;

	if (!localtime_r(&t, &tm) || strftime(out, ROOM, "%Y-%m-%d %H:%M", &tm) == 0)
		(void)snprintf(out, ROOM, "?");
	return out;
}

const char *cli_time(long long ms) { return cli_time_s(ms / 1000); }

const char *cli_time_rfc3339(long long ms)
{
	time_t t = (time_t)(ms / 1000);
	char *out = next_room();
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, ROOM, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, ROOM, "?");
	return out;
}

const char *cli_duration(unsigned long long ms)
{
	char *out = next_room();

	if (ms < 60000)
		(void)snprintf(out, ROOM, "%.1f s", (double)ms / 1000);
	else if (ms < 3600000)
		(void)snprintf(out, ROOM, "%llu min %llu s", ms / 60000, ms / 1000 % 60);
	else
		(void)snprintf(out, ROOM, "%llu h %llu min", ms / 3600000, ms / 60000 % 60);
	return out;
}

const char *cli_count(unsigned long long n)
{
	char digits[24], *out = next_room();
	int len = snprintf(digits, sizeof(digits), "%llu", n), at = 0;

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			out[at++] = ',';
		out[at++] = digits[i];
	}
	out[at] = '\0';
	return out;
}
