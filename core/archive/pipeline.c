/* A ring of given frames.  Three counters go round it: what was given, what a worker
 * began to pack, what was collected.  A slot belongs to the caller until it is given,
 * then to one worker until it says done, then to the caller again; the lock guards the
 * counters and `done` alone, so bytes are hashed and compressed without it. */
#include "archive/pipeline.h"

#include <assert.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>

#include "archive/frame.h"
#include "base/err.h"

struct slot {
	struct frame *f;
	bool done;
	int result;
	struct err e;
};

struct worker {
	struct pipeline *p;
	struct packer *packer;
	pthread_t thread;
};

struct pipeline {
	const uint8_t *id_key;
	struct frame *idle[PIPELINE_FRAMES];
	size_t n_idle;
	struct packer *packer; /* the caller's */
	struct worker workers[PIPELINE_WORKERS];
	size_t n_workers; /* threads that run */

	pthread_mutex_t lock;
	pthread_cond_t work, ready;
	bool stop;
	uint64_t given, begun, collected;
	struct slot ring[PIPELINE_FRAMES];
};

static void *worker_run(void *arg)
{
	struct worker *w = arg;
	struct pipeline *p = w->p;

	(void)pthread_mutex_lock(&p->lock);
	while (!p->stop) {
		struct slot *s;

		if (p->begun == p->given) {
			(void)pthread_cond_wait(&p->work, &p->lock);
			continue;
		}
		s = &p->ring[p->begun++ % PIPELINE_FRAMES];
		(void)pthread_mutex_unlock(&p->lock);
		s->result = frame_pack(s->f, w->packer, p->id_key, &s->e);
		(void)pthread_mutex_lock(&p->lock);
		s->done = true;
		(void)pthread_cond_signal(&p->ready);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* Signals are for the thread that works with the store and the volume. */
static bool worker_start(struct pipeline *p, int level, struct err *e)
{
	struct worker *w = &p->workers[p->n_workers];
	sigset_t all, before;
	int r;

	w->p = p;
	w->packer = packer_new(level, e);
	if (!w->packer)
		return false;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&w->thread, NULL, worker_run, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r != 0) {
		packer_free(w->packer);
		w->packer = NULL;
		return true; /* with fewer it works too */
	}
	p->n_workers++;
	return true;
}

unsigned pipeline_workers(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1)
		return 0;
	return PIPELINE_WORKERS;
}

static int pipeline_fill(struct pipeline *p, int level, unsigned workers, struct err *e)
{
	p->packer = packer_new(level, e);
	if (!p->packer)
		return -1;
	while (p->n_idle < PIPELINE_FRAMES) {
		p->idle[p->n_idle] = frame_new(e);
		if (!p->idle[p->n_idle])
			return -1;
		p->n_idle++;
	}
	for (unsigned i = 0; i < workers; i++)
		if (!worker_start(p, level, e))
			return -1;
	return 0;
}

struct pipeline *pipeline_new(int level, unsigned workers, const uint8_t id_key[32],
			      struct err *e)
{
	struct pipeline *p = calloc(1, sizeof(*p));

	assert(workers <= PIPELINE_WORKERS);
	if (!p) {
		(void)err_memory(e);
		return NULL;
	}
	p->id_key = id_key;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->work, NULL);
	(void)pthread_cond_init(&p->ready, NULL);
	if (pipeline_fill(p, level, workers, e) < 0) {
		pipeline_free(p);
		return NULL;
	}
	return p;
}

static void workers_stop(struct pipeline *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->stop = true;
	(void)pthread_cond_broadcast(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->n_workers; i++) {
		(void)pthread_join(p->workers[i].thread, NULL);
		packer_free(p->workers[i].packer);
	}
}

void pipeline_free(struct pipeline *p)
{
	if (!p)
		return;
	workers_stop(p);
	for (; p->collected < p->given; p->collected++)
		frame_free(p->ring[p->collected % PIPELINE_FRAMES].f);
	while (p->n_idle > 0)
		frame_free(p->idle[--p->n_idle]);
	packer_free(p->packer);
	(void)pthread_mutex_destroy(&p->lock);
	(void)pthread_cond_destroy(&p->work);
	(void)pthread_cond_destroy(&p->ready);
	free(p);
}

struct frame *pipeline_take(struct pipeline *p)
{
	return p->n_idle > 0 ? p->idle[--p->n_idle] : NULL;
}

void pipeline_release(struct pipeline *p, struct frame *f)
{
	assert(p->n_idle < PIPELINE_FRAMES);
	p->idle[p->n_idle++] = f;
}

void pipeline_give(struct pipeline *p, struct frame *f)
{
	struct slot *s = &p->ring[p->given % PIPELINE_FRAMES];

	s->f = f;
	s->done = false;
	if (p->n_workers == 0) {
		s->result = frame_pack(f, p->packer, p->id_key, &s->e);
		s->done = true;
		p->given++;
		return;
	}
	(void)pthread_mutex_lock(&p->lock);
	p->given++;
	(void)pthread_cond_signal(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
}

int pipeline_collect(struct pipeline *p, struct frame **out, struct err *e)
{
	struct slot *s = &p->ring[p->collected % PIPELINE_FRAMES];

	if (p->collected == p->given)
		return 1;
	(void)pthread_mutex_lock(&p->lock);
	while (!s->done)
		(void)pthread_cond_wait(&p->ready, &p->lock);
	(void)pthread_mutex_unlock(&p->lock);
	p->collected++;
	if (s->result < 0) {
		*e = s->e;
		pipeline_release(p, s->f);
		return -1;
	}
	*out = s->f;
	return 0;
}

struct packer *pipeline_packer(struct pipeline *p) { return p->packer; }
