// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vDSO: threads that do nothing but query the time with it keep running, and time never runs backwards.
 * test: boots=others breaks=1
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/time.h>
#include <time.h>

static volatile int over;
static volatile long rounds[2], backwards;

static void *read_clock(void *arg)
{
	struct timespec last = { 0 }, now;
	struct timeval tv;
	int nr = (int)(intptr_t)arg;

	while (!over) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		gettimeofday(&tv, NULL);
		if (now.tv_sec < last.tv_sec || (now.tv_sec == last.tv_sec && now.tv_nsec < last.tv_nsec))
			backwards++;
		last = now;
		rounds[nr]++;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long base;
	long was[2];
	pthread_t t[2];

	test_init(argc, argv);
	base = getauxval(AT_SYSINFO_EHDR);
	need(base, "no vDSO");
	for (intptr_t i = 0; i < 2; i++)
		pthread_create(&t[i], NULL, read_clock, (void *)i);
	sleep_ms(20);
	if (checkpoint_here())
		over = 1;
	sleep_ms(10);
	was[0] = rounds[0];
	was[1] = rounds[1];
	sleep_ms(100);
	check(rounds[0] > was[0] && rounds[1] > was[1], "the threads do not run");
	check(!backwards, "time ran backwards %ld times", backwards);
	check(getauxval(AT_SYSINFO_EHDR) == base && !memcmp((void *)base, "\177ELF", 4), "the vDSO is gone");
	over = 1;
	pthread_join(t[0], NULL);
	pthread_join(t[1], NULL);
	test_done();
}
