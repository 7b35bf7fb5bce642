/* SPDX-License-Identifier: GPL-2.0-only */
#include "memory/turns.h"
#include <errno.h>

void turns_init(struct turns *turns)
{
	*turns = (struct turns){ 0 };
	pthread_mutex_init(&turns->lock, NULL);
	pthread_cond_init(&turns->changed, NULL);
}

void turns_free(struct turns *turns)
{
	pthread_cond_destroy(&turns->changed);
	pthread_mutex_destroy(&turns->lock);
}

int turns_wait(struct turns *turns, size_t number)
{
	bool over;

	pthread_mutex_lock(&turns->lock);
	while (turns->next != number && !turns->over)
		pthread_cond_wait(&turns->changed, &turns->lock);
	over = turns->over;
	pthread_mutex_unlock(&turns->lock);
	return over ? -ECANCELED : 0;
}

static void change(struct turns *turns, bool over)
{
	pthread_mutex_lock(&turns->lock);
	turns->next++;
	turns->over |= over;
	pthread_cond_broadcast(&turns->changed);
	pthread_mutex_unlock(&turns->lock);
}

void turns_end(struct turns *turns)
{
	change(turns, false);
}

void turns_give_up(struct turns *turns)
{
	change(turns, true);
}
