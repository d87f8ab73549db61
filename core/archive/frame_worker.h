/* A thread that unpacks BODY frames while its owner reads the next ones and hands on the bytes of
 * those before.  Inside of frame_source. */
#ifndef ARCHIVE_FRAME_WORKER_H
#define ARCHIVE_FRAME_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "archive/record.h"
#include "base/err.h"

struct unpacked;

#define FRAME_WORKER_JOBS 4

/* One frame; from frame_worker_give to frame_worker_wait it is the worker's. */
struct frame_job {
	struct record rec;
	const uint8_t *packed;
	struct unpacked *frame;
	bool done;
	int result;
	struct err e;
};

struct frame_worker;
/* NULL where there is one CPU only, or no thread to be had: then nothing is done ahead. */
struct frame_worker *frame_worker_new(const uint8_t *id_key);
void frame_worker_free(struct frame_worker *w);
/* At most FRAME_WORKER_JOBS at a time. */
void frame_worker_give(struct frame_worker *w, struct frame_job *job);
/* Wait until JOB is done: as record_unpack and unpacked_parse, one after the other, end. */
int frame_worker_wait(struct frame_worker *w, struct frame_job *job, struct err *e);

#endif
