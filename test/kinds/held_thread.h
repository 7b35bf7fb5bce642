/* SPDX-License-Identifier: GPL-2.0-only */
/* A second thread that sets up its own state, keeps it over a checkpoint, and then may verify it. */
#ifndef TEST_HELD_THREAD_H
#define TEST_HELD_THREAD_H

#include <pthread.h>
#include "checkpoint.h"

struct held_thread {
	pthread_t id;
	pthread_barrier_t ready, release;
	void (*prepare)(void);
	void (*verify)(void); /* may be NULL */
};

static void *held_thread_main(void *arg)
{
	struct held_thread *t = arg;

	t->prepare();
	pthread_barrier_wait(&t->ready);
	pthread_barrier_wait(&t->release);
	if (t->verify)
		t->verify();
	return NULL;
}

/* Returns when prepare() has run. */
static inline void held_thread_start(struct held_thread *t)
{
	pthread_barrier_init(&t->ready, NULL, 2);
	pthread_barrier_init(&t->release, NULL, 2);
	need(!pthread_create(&t->id, NULL, held_thread_main, t), "pthread_create");
	pthread_barrier_wait(&t->ready);
}

static inline void held_thread_end(struct held_thread *t)
{
	pthread_barrier_wait(&t->release);
	pthread_join(t->id, NULL);
}

#endif
