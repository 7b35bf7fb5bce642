/* SPDX-License-Identifier: GPL-2.0-only */
/* State of one dump: creation, interruption, release. */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include "dump/dump.h"
#include "memory/memory.h"
#include "run/dump.h"
#include "run/guard.h"
#include "util/fds.h"
#include "util/log.h"

/* Memory that one process needed is needed for the next one, too: do not return it in between. */
static void keep_memory(void)
{
#ifdef M_TRIM_THRESHOLD
	mallopt(M_TRIM_THRESHOLD, 64 << 20);
	mallopt(M_TOP_PAD, 256 << 10);
#endif
}

struct dump *dump_new(const struct options *opts)
{
	struct dump *dump = calloc(1, sizeof(*dump));

	if (!dump)
		return NULL;
	dump->opts = opts;
	dump->signal_fd = dump->pid_ns = -1;
	dump->roots = PATH_OWN;
	arena_init(&dump->arena);
	tree_init(&dump->tree);
	if (memory_dump_begin(dump)) {
		arena_free(&dump->arena);
		free(dump);
		return NULL;
	}
	fds_raise_limit();
	keep_memory();
	return dump;
}

void dump_forget_threads(struct dump_task *dt)
{
	for (size_t i = 0; i < dt->nr_threads; i++) {
		compel_thread_state_clear(&dt->threads[i].cpu);
		proc_status_free(&dt->threads[i].status);
	}
	free(dt->threads);
	dt->threads = NULL;
	dt->nr_threads = 0;
}

static void free_task(struct dump_task *dt)
{
	compel_cure(dt->ctl);
	dump_forget_threads(dt);
	for (size_t i = 0; i < dt->nr_fds; i++)
		free(dt->fds[i].info);
	free(dt->fds);
	free(dt->parasite);
	maps_free(&dt->maps);
	array_free(&dt->vma_flags);
	memory_task_end(dt);
	if (dt->pidfd >= 0)
		close(dt->pidfd);
	proc_close(&dt->proc);
}

void dump_free(struct dump *dump)
{
	struct dump_task *dt;

	guard_end(dump);
	dump_for_each_task(dt, dump)
		free_task(dt);
	for (int type = 0; type < IMAGE_TYPES; type++)
		image_discard(dump->images[type]);
	kcmp_set_free(&dump->open_files);
	memory_dump_end(dump);
	hash_free(&dump->path_ids);
	hash_free(&dump->saved_fs);
	hash_free(&dump->kernel_pipes);
	hash_free(&dump->shown_pid_ns);
	hash_free(&dump->fd_ids);
	hash_free(&dump->task_by_pid);
	hash_free(&dump->numbers);
	id_map_free(&dump->uid_map);
	id_map_free(&dump->gid_map);
	mountinfo_free(&dump->mounts);
	dump_close_roots(dump);
	image_store_close(dump->record);
	image_store_close(dump->dir);
	if (dump->signal_fd >= 0)
		close(dump->signal_fd);
	if (dump->pid_ns >= 0)
		close(dump->pid_ns);
	arena_free(&dump->arena);
	free(dump);
}

/* Unnoticeable to the user. */
#define SOON_US 1000

int dump_interrupted_soon(struct dump *dump)
{
	return stats_now() - dump->interrupt_checked < SOON_US ? 0 : dump_interrupted(dump);
}

int dump_interrupted(struct dump *dump)
{
	struct signalfd_siginfo info;

	dump->interrupt_checked = stats_now();
	/*
	 * A tick of our own timer (dump_stop_begin) that arrives during this very call is found here before its handler
	 * runs.
	 */
	do {
		if (dump->signal_fd < 0 || read(dump->signal_fd, &info, sizeof(info)) != sizeof(info))
			return 0;
	} while (info.ssi_signo == SIGALRM && info.ssi_code == SI_KERNEL);
	return fail(-EINTR, "stopped by signal %u: the tree keeps running", info.ssi_signo);
}
