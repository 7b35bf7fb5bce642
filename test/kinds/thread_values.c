// SPDX-License-Identifier: GPL-2.0-only
/*
 * Per-thread values: the personality and the default keyring for requested keys; per process: that timers are created
 * with the requested ids.
 * test: flavours=host,user breaks=3
 */
#include "checkpoint.h"
#include <pthread.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#define TIMER_CREATE_RESTORE_IDS 77
#define SET_REQKEY_KEYRING 14 /* keyctl(2); -1 queries it */
#define USER_KEYRING 4

static pthread_barrier_t made, over;
static bool keys, ids;

static long reqkey(int to)
{
	return syscall(SYS_keyctl, SET_REQKEY_KEYRING, to);
}

static void *other(void *arg)
{
	need(personality(ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS) >= 0, "personality");
	if (keys)
		need(reqkey(USER_KEYRING) >= 0, "keyctl: %s", strerror(errno));
	pthread_barrier_wait(&made);
	pthread_barrier_wait(&over);
	if (test_break() == 1 || (test_break() == 2 && !keys))
		personality(0);
	if (test_break() == 2)
		reqkey(0);
	check(personality(0xffffffff) == (ADDR_NO_RANDOMIZE | STICKY_TIMEOUTS), "personality %x",
	      personality(0xffffffff));
	check(!keys || reqkey(-1) == USER_KEYRING, "requested keys go to %ld", reqkey(-1));
	return NULL;
}

int main(int argc, char **argv)
{
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	pthread_t thread;
	int id = 17;

	test_init(argc, argv);
	keys = reqkey(-1) >= 0;
	ids = !prctl(TIMER_CREATE_RESTORE_IDS, 1, 0, 0, 0);
	need(personality(ADDR_COMPAT_LAYOUT) >= 0, "personality");
	pthread_barrier_init(&made, NULL, 2);
	pthread_barrier_init(&over, NULL, 2);
	pthread_create(&thread, NULL, other, NULL);
	pthread_barrier_wait(&made);
	if (checkpoint_here() == 3) {
		prctl(TIMER_CREATE_RESTORE_IDS, 0, 0, 0, 0);
		personality(0);
	}
	pthread_barrier_wait(&over);
	pthread_join(thread, NULL);
	check(personality(0xffffffff) == ADDR_COMPAT_LAYOUT, "personality %x", personality(0xffffffff));
	check(!keys || reqkey(-1) == 0, "requested keys go to %ld", reqkey(-1));
	check(!ids || prctl(TIMER_CREATE_RESTORE_IDS, 2, 0, 0, 0) == 1, "timers are created with requested ids");
	check(!ids || (!syscall(SYS_timer_create, CLOCK_MONOTONIC, &none, &id) && id == 17), "a timer, %d", id);
	test_done();
}
