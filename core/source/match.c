/* Two wildcard matchers, one inside the other: `**` over components, `*` over the bytes
 * of one component.  Each goes back only to its last star, because whatever an earlier
 * star could take the later one can take as well; so the time is bounded by the product
 * of the lengths. */
#include "source/match.h"

#include <stddef.h>
#include <string.h>

/* A run of bytes of a pattern or a path. */
struct span {
	const char *p, *end;
};

/* One byte of the pattern [P, end), not a star, against C: the rest of the pattern, or
 * NULL if it does not fit.  Of a set, `]` is a member when it comes first. */
static const char *byte_set(const char *p, const char *end, char c)
{
	bool inverted = p < end && (*p == '!' || *p == '^');
	bool found = false;
	bool first = true;
	unsigned char byte = (unsigned char)c;

	p += inverted;
	for (; p < end && (first || *p != ']'); first = false) {
		unsigned char low, high;

		p += *p == '\\' && p + 1 < end;
		low = high = (unsigned char)*p++;
		if (end - p >= 2 && *p == '-' && p[1] != ']') {
			p++;
			p += *p == '\\' && p + 1 < end;
			high = (unsigned char)*p++;
		}
		found = found || (low <= byte && byte <= high);
	}
	if (p == end) /* never closed; match_problem refuses it */
		return NULL;
	return found != inverted ? p + 1 : NULL;
}

static const char *match_byte(const char *p, const char *end, char c)
{
	if (*p == '?')
		return p + 1;
	if (*p == '[')
		return byte_set(p + 1, end, c);
	if (*p == '\\' && p + 1 < end)
		p++;
	return *p == c ? p + 1 : NULL;
}

static bool match_component(struct span pattern, struct span name)
{
	const char *p = pattern.p;
	const char *s = name.p;
	const char *star = NULL;  /* after the last star */
	const char *taken = NULL; /* what that star takes ends here */

	while (s < name.end) {
		const char *next;

		if (p < pattern.end && *p == '*') {
			star = ++p;
			taken = s;
			continue;
		}
		next = p < pattern.end ? match_byte(p, pattern.end, *s) : NULL;
		if (next) {
			p = next;
			s++;
		} else if (star) {
			p = star;
			s = ++taken;
		} else {
			return false;
		}
	}
	while (p < pattern.end && *p == '*')
		p++;
	return p == pattern.end;
}

/* Take the first component off S. */
static struct span take_component(struct span *s)
{
	const char *slash = memchr(s->p, '/', (size_t)(s->end - s->p));
	struct span one = { .p = s->p, .end = slash ? slash : s->end };

	s->p = slash ? slash + 1 : s->end;
	return one;
}

static bool is_double_star(struct span c)
{
	return c.end - c.p == 2 && c.p[0] == '*' && c.p[1] == '*';
}

static bool match_components(struct span pattern, struct span path)
{
	struct span star = { NULL, NULL };  /* pattern after the last double star */
	struct span taken = { NULL, NULL }; /* path after what that star takes */

	while (path.p < path.end) {
		struct span left = pattern;
		struct span rest = path;

		if (pattern.p < pattern.end && is_double_star(take_component(&left))) {
			if (left.p == left.end) /* all below, at least one component */
				return true;
			star = pattern = left;
			taken = path;
			continue;
		}
		left = pattern;
		if (pattern.p < pattern.end &&
		    match_component(take_component(&left), take_component(&rest))) {
			pattern = left;
			path = rest;
		} else if (star.p) {
			(void)take_component(&taken);
			pattern = star;
			path = taken;
		} else {
			return false;
		}
	}
	return pattern.p == pattern.end;
}

bool match_path(const char *pattern, const char *path, bool is_dir)
{
	struct span p = { .p = pattern, .end = pattern + strlen(pattern) };
	struct span s = { .p = path, .end = path + strlen(path) };
	bool anchored;

	if (p.p < p.end && p.end[-1] == '/') {
		if (!is_dir)
			return false;
		p.end--;
	}
	anchored = memchr(p.p, '/', (size_t)(p.end - p.p)) != NULL;
	if (p.p < p.end && *p.p == '/')
		p.p++;
	if (p.p == p.end)
		return false;
	if (!anchored) {
		const char *slash = strrchr(path, '/');

		s.p = slash ? slash + 1 : path;
	}
	return match_components(p, s);
}

/* Whether the sets and escapes of a component are closed within it. */
static const char *component_problem(struct span c)
{
	const char *p = c.p;

	if (c.p == c.end)
		return "an empty component";
	if ((c.end - c.p == 1 && c.p[0] == '.') ||
	    (c.end - c.p == 2 && c.p[0] == '.' && c.p[1] == '.'))
		return "\".\" and \"..\" match nothing";
	while (p < c.end) {
		if (*p == '\\') {
			if (++p == c.end)
				return "a backslash at the end of a component";
			p++;
		} else if (*p == '[') {
			p += 1 + (p + 1 < c.end && (p[1] == '!' || p[1] == '^'));
			for (bool first = true; p < c.end && (first || *p != ']');
			     first = false)
				p += 1 + (*p == '\\');
			if (p >= c.end)
				return "a \"[\" without its \"]\" in the same component";
			p++;
		} else if (*p == '*' && p + 1 < c.end && p[1] == '*' &&
			   !is_double_star(c)) {
			return "\"**\" must be a whole component";
		} else {
			p++;
		}
	}
	return NULL;
}

const char *match_problem(const char *pattern)
{
	struct span p = { .p = pattern, .end = pattern + strlen(pattern) };
	const char *problem = NULL;

	if (p.p < p.end && *p.p == '/')
		p.p++;
	if (p.p < p.end && p.end[-1] == '/')
		p.end--;
	if (p.p == p.end)
		return "an empty pattern";
	if (p.end[-1] == '/')
		return "an empty component";
	do
		problem = component_problem(take_component(&p));
	while (!problem && p.p < p.end);
	return problem;
}
