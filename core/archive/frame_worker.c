/* The lock guards the ring, its counters and `done` alone, as in pipeline.c. */
#include "archive/frame_worker.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "archive/frame.h"
#include "archive/pipeline.h"

struct frame_worker {
	const uint8_t *id_key;
	struct unpacker *unpacker;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work, ready;
	bool stop;
	uint64_t given, begun;
	struct frame_job *ring[FRAME_WORKER_JOBS];
};

static int unpack(struct frame_worker *w, struct frame_job *job)
{
	if (record_unpack(&job->rec, w->unpacker, job->packed, job->frame->plain, &job->e) < 0)
		return -1;
	return unpacked_parse(job->frame, job->rec.type, job->rec.ulen, w->id_key, job->rec.id,
			      &job->e);
}

static void *worker_run(void *arg)
{
	struct frame_worker *w = arg;

	(void)pthread_mutex_lock(&w->lock);
	while (!w->stop) {
		struct frame_job *job;

		if (w->begun == w->given) {
			(void)pthread_cond_wait(&w->work, &w->lock);
			continue;
		}
		job = w->ring[w->begun++ % FRAME_WORKER_JOBS];
		(void)pthread_mutex_unlock(&w->lock);
		job->result = unpack(w, job);
		(void)pthread_mutex_lock(&w->lock);
		job->done = true;
		(void)pthread_cond_signal(&w->ready);
	}
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* Signals are for the thread that works with the store. */
static bool start(struct frame_worker *w)
{
	sigset_t all, before;
	int r;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&w->thread, NULL, worker_run, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r == 0;
}

static void destroy(struct frame_worker *w)
{
	(void)pthread_mutex_destroy(&w->lock);
	(void)pthread_cond_destroy(&w->work);
	(void)pthread_cond_destroy(&w->ready);
	unpacker_free(w->unpacker);
	free(w);
}

struct frame_worker *frame_worker_new(const uint8_t *id_key)
{
	struct err ignored = ERR_EMPTY;
	struct frame_worker *w;

	if (pipeline_workers() == 0)
		return NULL;
	w = calloc(1, sizeof(*w));
	if (!w)
		return NULL;
	w->id_key = id_key;
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_cond_init(&w->work, NULL);
	(void)pthread_cond_init(&w->ready, NULL);
	w->unpacker = unpacker_new(&ignored);
	if (w->unpacker && start(w))
		return w;
	destroy(w);
	return NULL;
}

void frame_worker_free(struct frame_worker *w)
{
	if (!w)
		return;
	(void)pthread_mutex_lock(&w->lock);
	w->stop = true;
	(void)pthread_cond_signal(&w->work);
	(void)pthread_mutex_unlock(&w->lock);
	(void)pthread_join(w->thread, NULL);
	destroy(w);
}

void frame_worker_give(struct frame_worker *w, struct frame_job *job)
{
	(void)pthread_mutex_lock(&w->lock);
	assert(w->given - w->begun < FRAME_WORKER_JOBS);
	job->done = false;
	w->ring[w->given++ % FRAME_WORKER_JOBS] = job;
	(void)pthread_cond_signal(&w->work);
	(void)pthread_mutex_unlock(&w->lock);
}

int frame_worker_wait(struct frame_worker *w, struct frame_job *job, struct err *e)
{
	(void)pthread_mutex_lock(&w->lock);
	while (!job->done)
		(void)pthread_cond_wait(&w->ready, &w->lock);
	(void)pthread_mutex_unlock(&w->lock);
	if (job->result < 0)
		*e = job->e;
	return job->result;
}
