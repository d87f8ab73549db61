#include "mosaic_kit.h"

#include "archive/frame.h"
#include "base/wire.h"
#include "hand_kit.h"

#define DEPS_MAX 128

void mosaic_page(const struct mosaic *m, size_t i, uint8_t out[MOSAIC_PAGE])
{
	struct fake f = { .seed = (uint32_t)(i * 1000 + m->versions[i]) };

	/* Compresses as database pages do, more or less. */
	memset(out, 0, MOSAIC_PAGE);
	for (size_t at = 0; at < MOSAIC_PAGE; at += 256)
		kit_bytes(&f, 2, at, out + at, 96);
}

/* What is decided before the trees are made. */
struct plan {
	struct mosaic *m;
	struct hand x;
	struct dependency deps[DEPS_MAX];
	struct craft c;
};

static void place(struct mosaic_page *p, const struct hand_frame *f, uint32_t chunk)
{
	p->at = f->at;
	p->chunk = chunk;
	memcpy(p->fingerprint, f->fingerprints[chunk], sizeof(p->fingerprint));
}

/* Write the frames of the pages that are PICKED, eight in each. */
static void write_pages(struct plan *p, const bool *picked)
{
	static uint8_t room[MOSAIC_FRAME * MOSAIC_PAGE];
	struct mosaic *m = p->m;
	size_t pages[MOSAIC_FRAME], k = 0;

	for (size_t i = 0; i <= m->n; i++) {
		struct hand_frame f;

		if (i < m->n && picked[i]) {
			m->live[m->pages[i].at.seq]--;
			m->live[m->seq]++;
			pages[k] = i;
			mosaic_page(m, i, room + k++ * MOSAIC_PAGE);
		}
		if (k == 0 || (k < MOSAIC_FRAME && i < m->n))
			continue;
		hand_frame(&p->x, RECORD_BODY, room, k * MOSAIC_PAGE, MOSAIC_PAGE, &f);
		for (uint32_t j = 0; j < k; j++)
			place(&m->pages[pages[j]], &f, j);
		k = 0;
	}
}

static void list_deps(struct plan *p)
{
	struct mosaic *m = p->m;

	p->c.n_deps = 0;
	for (uint64_t seq = 1; seq < m->seq; seq++) {
		if (m->live[seq] == 0)
			continue;
		assert_true(p->c.n_deps < DEPS_MAX);
		p->deps[p->c.n_deps++] =
			(struct dependency){ .archive = m->made[seq], .live = m->live[seq] };
	}
	p->c.dep = p->c.n_deps > 0 ? p->deps : NULL;
}

static bool goes_on(const struct mosaic_page *a, const struct mosaic_page *b)
{
	return a->at.seq == b->at.seq && a->at.part == b->at.part &&
	       a->at.offset == b->at.offset && a->chunk + 1 == b->chunk;
}

static struct tree_ref body_tree(struct plan *p)
{
	struct mosaic *m = p->m;
	auto_free struct extent *x = calloc(m->n, sizeof(*x));
	uint8_t prints[MOSAIC_FRAME][16];

	assert_non_null(x);
	m->n_extents = 0;
	for (size_t i = 0, n; i < m->n; i += n) {
		struct extent *out = &x[m->n_extents++];

		n = 0;
		do
			memcpy(prints[n], m->pages[i + n].fingerprint, 16);
		while (++n < MOSAIC_FRAME && i + n < m->n &&
		       goes_on(&m->pages[i + n - 1], &m->pages[i + n]));
		out->at = m->pages[i].at;
		out->offset = (uint64_t)m->pages[i].chunk * MOSAIC_PAGE;
		out->length = (uint64_t)n * MOSAIC_PAGE;
		frame_check(kit.keys->id, prints[0], n, out->check);
	}
	return hand_tree(&p->x, TREE_BODY, x, m->n_extents);
}

static void make(struct mosaic *m, const bool *picked)
{
	struct plan *p = calloc(1, sizeof(*p));
	struct hand_frame group;
	struct tree_ref tops[2];
	struct extent head;

	assert_non_null(p);
	p->m = m;
	p->c = (struct craft){ .seq = m->seq,
			       .parent = m->seq > 1 ? &m->made[m->seq - 1] : NULL,
			       .parent_chain = m->chain,
			       .entries = m->entries,
			       .files = m->files,
			       .bytes = m->files ? (uint64_t)m->n * MOSAIC_PAGE : 0 };
	hand_open(&p->x, &p->c);
	write_pages(p, picked);
	list_deps(p);
	hand_frame(&p->x, RECORD_HEAD, m->group, m->group_len, m->group_len, &group);
	head = hand_extent(&group, 0, 1);
	head.entries = m->entries;
	head.body = (uint64_t)m->n * MOSAIC_PAGE;
	tops[0] = hand_tree(&p->x, TREE_HEAD, &head, 1);
	tops[1] = body_tree(p);
	m->made[m->seq] = hand_close(&p->x, tops);
	memcpy(m->chain, p->x.chain, sizeof(m->chain));
	free(p);
}

/* One entry that owns all of it, unless the caller has set another group. */
static void default_group(struct mosaic *m)
{
	static uint8_t group[600];
	size_t n = wire_varint(group, 512);

	n += wire_varint(group + n, (uint64_t)m->n * MOSAIC_PAGE);
	memset(group + n, 'h', 512);
	m->group = group;
	m->group_len = n + 512;
	m->entries = 1;
}

void mosaic_first(struct mosaic *m, size_t n)
{
	auto_free bool *all = malloc(n);

	m->n = n;
	m->seq = 1;
	m->pages = calloc(n, sizeof(*m->pages));
	m->versions = calloc(n, sizeof(*m->versions));
	m->live = calloc(1024, sizeof(*m->live));
	m->made = calloc(1024, sizeof(*m->made));
	assert_non_null(all);
	assert_true(m->pages && m->versions && m->live && m->made);
	memset(all, 1, n);
	m->live[0] = n;
	if (!m->group)
		default_group(m);
	make(m, all);
}

/* Too many dependencies: the one with the fewest live pages goes, its pages are written
 * anew. */
static void reemit(const struct mosaic *m, bool *picked)
{
	uint64_t least = 0;
	size_t n = 0;

	for (uint64_t seq = 1; seq < m->seq; seq++) {
		n += m->live[seq] > 0;
		if (m->live[seq] > 0 && (least == 0 || m->live[seq] < m->live[least]))
			least = seq;
	}
	for (size_t i = 0; n >= DEPS_MAX && i < m->n; i++)
		picked[i] |= m->pages[i].at.seq == least;
}

void mosaic_next(struct mosaic *m, bool (*pick)(size_t page, uint64_t seq))
{
	auto_free bool *picked = calloc(m->n, 1);

	assert_non_null(picked);
	m->seq++;
	for (size_t i = 0; i < m->n; i++) {
		picked[i] = pick(i, m->seq);
		if (picked[i])
			m->versions[i] = (uint32_t)m->seq;
	}
	reemit(m, picked);
	make(m, picked);
}

bool mosaic_equals(const struct mosaic *m, uint64_t at, const uint8_t *p, size_t n)
{
	uint8_t page[MOSAIC_PAGE];

	while (n > 0) {
		size_t skip = at % MOSAIC_PAGE,
		       now = n < MOSAIC_PAGE - skip ? n : MOSAIC_PAGE - skip;

		mosaic_page(m, at / MOSAIC_PAGE, page);
		if (memcmp(page + skip, p, now) != 0)
			return false;
		at += now;
		p += now;
		n -= now;
	}
	return true;
}

void mosaic_free(struct mosaic *m)
{
	free(m->pages);
	free(m->versions);
	free(m->live);
	free(m->made);
}
