// SPDX-License-Identifier: GPL-2.0-only
/*
 * Alternate signal stacks, one per thread; a thread that is on it, in a handler, at the dump.
 * test: breaks=1
 */
#include "checkpoint.h"
#include <pthread.h>

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1U << 31)
#endif
#define SIZE 65536

static char *stacks[4];
static volatile sig_atomic_t handled, on_it;
static __thread int nr;

static void handler(int sig)
{
	char here;
	stack_t ss;

	check(&here >= stacks[nr] && &here < stacks[nr] + SIZE, "the handler of %d is at %p", nr, &here);
	sigaltstack(NULL, &ss);
	check(ss.ss_flags & SS_ONSTACK, "flags %#x in the handler", ss.ss_flags);
	if (nr == 1) {
		on_it = 1;
		wait_go(0);
		sigaltstack(NULL, &ss);
		check(ss.ss_flags & SS_ONSTACK && ss.ss_sp == stacks[1], "flags %#x in the handler, after",
		      ss.ss_flags);
	}
	handled++;
}

static void *thread(void *arg)
{
	stack_t want = { .ss_size = SIZE, .ss_flags = 0 }, ss;

	nr = (int)(intptr_t)arg;
	want.ss_sp = stacks[nr] = map_anon(SIZE, MAP_PRIVATE);
	if (nr == 2)
		want.ss_flags = (int)SS_AUTODISARM;
	if (nr != 3)
		sigaltstack(&want, NULL);
	if (nr == 1)
		pthread_kill(pthread_self(), SIGUSR1);
	else
		checkpoint_task(nr == 2 ? "2" : nr == 3 ? "3" : "0", 0);
	memset(&ss, 0, sizeof(ss));
	check(!sigaltstack(NULL, &ss), "sigaltstack");
	if (nr == 3)
		check(ss.ss_flags == SS_DISABLE, "thread 3 has a stack: %#x", ss.ss_flags);
	else
		check(ss.ss_sp == want.ss_sp && ss.ss_size == SIZE && ss.ss_flags == want.ss_flags,
		      "stack %p %zu %#x of %d", ss.ss_sp, ss.ss_size, ss.ss_flags, nr);
	if (nr == 0)
		pthread_kill(pthread_self(), SIGUSR1);
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = SA_ONSTACK };
	pthread_t t[4];
	int brk;

	test_init(argc, argv);
	sigaction(SIGUSR1, &sa, NULL);
	for (intptr_t i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, thread, (void *)i);
	await_task("0");
	await_task("2");
	await_task("3");
	while (!on_it)
		sleep_ms(1);
	brk = checkpoint_here();
	if (brk)
		handled++;
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	check(handled == 2, "%d handlers ran", (int)handled);
	test_done();
}
