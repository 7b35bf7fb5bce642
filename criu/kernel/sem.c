// SPDX-License-Identifier: GPL-2.0-only
#include "kernel/sem.h"
#include <errno.h>
#include <sys/sem.h>

#ifndef SEM_STAT_ANY
#define SEM_STAT_ANY 20
#endif

/* To be declared by the caller: semctl(2). */
union sem_arg {
	int val;
	struct semid_ds *set;
	struct seminfo *info;
};

/* @which: SEM_STAT takes an index, IPC_STAT an id. */
static int stat_set(int which, int command, struct sem_set *ret)
{
	struct semid_ds ds = { 0 };
	union sem_arg arg = { .set = &ds };
	int id = semctl(which, 0, command, arg);

	if (id < 0)
		return -errno;
	*ret = (struct sem_set){ .id = command == IPC_STAT ? which : id,
				 .key = (uint32_t)ds.sem_perm.__key,
				 .nr = (unsigned)ds.sem_nsems,
				 .used = ds.sem_otime };
	return 0;
}

int sem_set_stat(int id, struct sem_set *ret)
{
	return stat_set(id, IPC_STAT, ret);
}

int sem_sets_read(struct sem_set_array *to, int *ret_unreadable)
{
	struct seminfo info = { 0 };
	union sem_arg arg = { .info = &info };
	int last = semctl(0, 0, SEM_INFO, arg);

	*ret_unreadable = 0;
	if (last < 0)
		return -errno;
	/* semusz: their number. */
	for (int i = 0; info.semusz && i <= last; i++) {
		struct sem_set set;
		int err = stat_set(i, SEM_STAT_ANY, &set);

		/* Before Linux 4.17: those that we may read. */
		if (err == -EINVAL)
			err = stat_set(i, SEM_STAT, &set);
		if (!err && array_add(to, set))
			return -ENOMEM;
		/* -EINVAL, -EIDRM: no set has this index. */
		if (err && err != -EINVAL && err != -EIDRM && !*ret_unreadable)
			*ret_unreadable = err;
	}
	return 0;
}

int sem_value(int id, unsigned num, unsigned *ret_value)
{
	int value = semctl(id, (int)num, GETVAL);

	if (value < 0)
		return -errno;
	*ret_value = (unsigned)value;
	return 0;
}

int sem_last_pid(int id, unsigned num, pid_t *ret_pid)
{
	int pid = semctl(id, (int)num, GETPID);

	if (pid < 0)
		return -errno;
	*ret_pid = pid;
	return 0;
}

unsigned sem_ops_max(void)
{
	struct seminfo info = { 0 };
	union sem_arg arg = { .info = &info };

	return semctl(0, 0, IPC_INFO, arg) < 0 || info.semopm < 1 ? 1 : (unsigned)info.semopm;
}
