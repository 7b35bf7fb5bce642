/* SPDX-License-Identifier: GPL-2.0-only */
/* Threads that have something to do in the order of its numbers. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct turns {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	size_t next; /* whose turn it is */
	bool over;
};

void turns_init(struct turns *turns);
void turns_free(struct turns *turns);
/* -ECANCELED: there are no turns any more; the reason has been logged. */
int turns_wait(struct turns *turns, size_t number);
void turns_end(struct turns *turns);
/* Wakes all who wait: what comes before them will not come. */
void turns_give_up(struct turns *turns);
