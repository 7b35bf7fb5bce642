/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Processes of one tree are often alike, especially those that were forked and are waiting. A dump spends most of its
 * time on running code in each of them, and they all give the same answers. So, where possible, kernel memory is read
 * first, for all of them at once. It answers some questions itself, and shows which processes are the same in
 * everything that determines the other answers: one of them is queried, and its answers are used for all. What kernel
 * memory does not settle is queried as usual.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "dump/dump.h"
#include "memory/memory.h"
#include "run/dump.h"
#include "kernel/maps.h"
#include "util/log.h"

#define MAPPINGS_MAX 512 /* of one process: they are kept for all */
#define DONORS ARRAY_SIZE(((struct dump *)0)->donors)

_Static_assert(sizeof(struct kernel_sigaction) == sizeof(struct parasite_sigaction), "the same fields");

/* ---- state from kernel memory ---- */

static void forget_tasks(void *arg)
{
	struct dump *dump = arg;
	struct dump_task *dt;

	dump_for_each_task(dt, dump)
		if (dt->kernel)
			kernel_task_free(dt->kernel);
}

static int read_all(struct dump *dump, size_t n)
{
	_cleanup_free_ int *dirs = calloc(n, sizeof(*dirs));
	struct kernel_task *tasks = dump_alloc(dump, n * sizeof(*tasks));
	struct dump_task *dt;
	size_t i = 0;
	int err = dirs && tasks ? 0 : -ENOMEM;

	dump_for_each_task(dt, dump)
		if (!err && dt->t.state != TASK_DEAD)
			dirs[i++] = dt->proc.dir;
	if (!err)
		err = kernel_tasks_read(dump->kernel_tasks, dirs, tasks, n);
	i = 0;
	dump_for_each_task(dt, dump)
		if (!err && dt->t.state != TASK_DEAD)
			dt->kernel = &tasks[i++];
	return err;
}

int dump_read_kernel_tasks(struct dump *dump)
{
	struct dump_task *dt;
	size_t n = 0, threads = 0;
	int err;

	dump_for_each_task(dt, dump) {
		n += dt->t.state != TASK_DEAD;
		threads = MAX_OF(threads, dt->nr_threads);
	}
	if (n < ALIKE_MIN && threads < ALIKE_MIN_THREADS)
		return 0;
	err = dump_open_kernel_tasks(dump);
	if (!err && arena_defer(&dump->arena, forget_tasks, dump))
		return fail(-ENOMEM, "processes");
	if (!err)
		err = read_all(dump, n);
	if (!err)
		dump_read_kernel_threads(dump);
	else
		log_info("kernel memory cannot be read (BPF): %s; every process is queried separately", strerror(-err));
	return 0;
}

/* ---- which tasks are alike ---- */

#define MM_DUMPABLE 3u /* of mm->flags; include/linux/mm_types.h MMF_DUMPABLE_MASK */
#define SUBREAPER 1u /* the first of the bits of signal_struct from is_child_subreaper on */

/* State that is not compared, as most processes have none of it. */
static bool is_plain(const struct dump_task *dt)
{
	const struct kernel_task *k = dt->kernel;
	const struct task *child;

	if (!k || dt->nr_threads != 1 || dt->stat.threads != 1 || dt->leader_ended || !dt->mm_owner || !dt->files_owner)
		return false;
	list_for_each(child, &dt->t.children, sibling)
		if (child->state == TASK_STOPPED)
			return false; /* its parent may have waited for it */
	return !k->has_timers && !k->undo_list && k->fds_known && k->cred == k->real_cred && !k->same.io_context &&
	       !k->same.policy && !k->same.ldt && !k->same.process_keyring && !k->same.thread_keyring;
}

/* Fields that this kernel does not have are marked unknown in the answer. */
static bool is_settled(const struct dump *dump, const struct dump_task *donor)
{
	const struct parasite_task *in = donor->parasite;

	return (in->futex_slots < 0 || kernel_tasks_has_futex_hash(dump->kernel_tasks)) &&
	       (in->timer_restore_ids < 0 || kernel_tasks_has_timer_ids(dump->kernel_tasks)) &&
	       memory_arch_is_alike(donor, kernel_tasks_has_fpu_perm(dump->kernel_tasks));
}

static void take_actions(struct parasite_task *to, const struct kernel_task *k)
{
	for (int sig = 1; sig <= PARASITE_NR_SIG; sig++) {
		struct parasite_sigaction *act = &to->sigactions[sig - 1];

		*act = (struct parasite_sigaction){ 0 };
		/* As requested by pie/parasite/main.c. */
		if (sig != SIGKILL && sig != SIGSTOP && (sig == SIGCHLD || k->actions[sig - 1].handler))
			memcpy(act, &k->actions[sig - 1], sizeof(*act));
	}
}

static bool fds_agree(const struct dump_task *dt)
{
	const struct kernel_task *k = dt->kernel;
	size_t nr = 0;

	for (size_t i = 0; i < KERNEL_TASK_FDS / 64; i++)
		nr += (size_t)__builtin_popcountll(k->open_fds[i]);
	for (size_t i = 0; i < dt->nr_fds; i++) {
		size_t fd = (size_t)dt->fds[i].fd;

		if (fd >= KERNEL_TASK_FDS || !(k->open_fds[fd / 64] & BIT(fd % 64)))
			return false;
	}
	return nr == dt->nr_fds;
}

/* Compares answers of @dt that are also in kernel memory: a difference means that its structs are not as expected. */
static bool answers_agree(const struct dump_task *dt)
{
	const struct parasite_thread *thread = &dt->threads[0].parasite;
	const struct parasite_task *in = dt->parasite;
	const struct kernel_task *k = dt->kernel;
	struct parasite_task read;

	take_actions(&read, k);
	return (k->same.mm_flags & MM_DUMPABLE) == (uint64_t)in->dumpable &&
	       (k->same.reaper & SUBREAPER) == (uint32_t)in->child_subreaper && k->brk == in->brk &&
	       !memcmp(k->rlimits, in->rlimits, sizeof(in->rlimits)) &&
	       !memcmp(read.sigactions, in->sigactions, sizeof(in->sigactions)) &&
	       k->clear_child_tid == thread->clear_child_tid && (int32_t)k->pdeath_signal == thread->pdeath_signal &&
	       k->timer_slack_ns == thread->timer_slack_ns && k->personality == thread->personality && fds_agree(dt);
}

static struct dump_task *find_donor(const struct dump *dump, const struct dump_task *dt)
{
	for (size_t i = 0; i < DONORS && dump->donors[i]; i++) {
		struct dump_task *donor = dump->donors[i];

		if (!memcmp(&donor->kernel->same, &dt->kernel->same, sizeof(dt->kernel->same)))
			return donor;
	}
	return NULL;
}

/* ---- answers ---- */

static int take_fds(struct dump_task *dt)
{
	const struct kernel_task *k = dt->kernel;

	dt->fds = calloc(k->nr_fds + 1, sizeof(*dt->fds));
	if (!dt->fds)
		return fail(-ENOMEM, "descriptors");
	for (size_t fd = 0; fd < k->nr_fds; fd++) {
		if (!(k->open_fds[fd / 64] & BIT(fd % 64)))
			continue;
		dt->fds[dt->nr_fds++] = (struct fd_probe){
			.task = dt,
			.fd = (int)fd,
			.local = -1,
			.mnt_id = -1,
			.cloexec = k->cloexec_fds[fd / 64] & BIT(fd % 64),
		};
	}
	return 0;
}

static int take_answers(struct dump_task *dt, struct dump_task *donor)
{
	const struct kernel_task *k = dt->kernel;
	struct parasite_thread *thread = &dt->threads[0].parasite;

	dt->parasite_len = sizeof(*dt->parasite);
	dt->parasite = malloc(dt->parasite_len);
	if (!dt->parasite)
		return fail(-ENOMEM, "parasite");
	memcpy(dt->parasite, donor->parasite, dt->parasite_len);
	take_actions(dt->parasite, k);
	memcpy(dt->parasite->rlimits, k->rlimits, sizeof(dt->parasite->rlimits));
	dt->parasite->brk = k->brk;
	*thread = donor->threads[0].parasite;
	thread->clear_child_tid = k->clear_child_tid;
	thread->pdeath_signal = (int32_t)k->pdeath_signal;
	thread->timer_slack_ns = k->timer_slack_ns;
	thread->personality = k->personality;
	dt->asked_at = clocks_now().monotonic;
	dt->alike = donor;
	log_debug("has the same answers as process %d", donor->t.host_pid);
	return take_fds(dt);
}

/* VM_READ, VM_WRITE, VM_EXEC are PROT_*; include/linux/mm.h */
#define VM_ACCESS 7u
#define VM_SHARED 8u

static bool is_known_mapping(const struct kernel_mapping *m, const struct kernel_vma *v)
{
	/* /proc prints 's' for what may be shared (VM_MAYSHARE), which a mapping of a file opened for reading only is, too. */
	return m->start == v->start && m->end == v->end && (m->flags & VM_ACCESS) == v->prot &&
	       (v->shared || !(m->flags & VM_SHARED));
}

/* Read, the same as in /proc, and none has a memory policy: with @asked files have been asked for theirs. */
static bool has_known_mappings(const struct dump_task *dt, bool asked)
{
	const struct kernel_task *k = dt->kernel;
	size_t n = dt->maps.n;

	/* Not a mapping of the process. */
	if (n && !strcmp(dt->maps.v[n - 1].name, "[vsyscall]"))
		n--;
	if (k->nr_mappings != n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!is_known_mapping(&k->mappings[i], &dt->maps.v[i]) || k->mappings[i].policy ||
		    (!asked && k->mappings[i].file_policy))
			return false;
	return true;
}

/* Locked mappings need another query: how much of them is present. */
static bool has_locked(const struct dump_task *dt)
{
	for (size_t i = 0; i < dt->vma_flags.n; i++)
		if (dt->vma_flags.v[i].flags & BIT(VMF_LO))
			return true;
	return false;
}

void dump_note_donor(struct dump *dump, struct dump_task *dt)
{
	if (!dump->kernel_tasks || dump->no_alikes || !is_plain(dt) || dt->status.seccomp)
		return;
	if (!answers_agree(dt)) {
		log_info("kernel memory is not as expected; every process is queried separately");
		dump->no_alikes = true;
		return;
	}
	if (!is_settled(dump, dt) || memory_has_policies(dt) ||
	    kernel_task_read_mappings(dump->kernel_tasks, dt->kernel, MAPPINGS_MAX) || !has_known_mappings(dt, true))
		return;
	memmove(dump->donors + 1, dump->donors, (DONORS - 1) * sizeof(dump->donors[0]));
	dump->donors[0] = dt;
}

/*
 * All mappings are those of @donor, as fork(2) left them. What /proc calls "[heap]" and "[stack]" depends on addresses.
 */
static bool maps_the_same(const struct dump_task *dt, const struct dump_task *donor)
{
	const struct kernel_task *k = dt->kernel, *other = donor->kernel;

	return k->nr_mappings == other->nr_mappings &&
	       !memcmp(k->mappings, other->mappings, k->nr_mappings * sizeof(*k->mappings)) && k->brk == other->brk &&
	       dt->stat.start_brk == donor->stat.start_brk && dt->stat.start_stack == donor->stat.start_stack &&
	       !has_locked(donor);
}

static int copy_mappings(struct dump_task *dt, const struct dump_task *donor)
{
	/* The names belong to the donor. */
	maps_free(&dt->maps);
	array_free(&dt->vma_flags);
	for (size_t i = 0; i < donor->maps.n; i++) {
		struct vma_flags flags = donor->vma_flags.v[i];

		/* It is not known how much is shared: parts may be, as between parent and child. */
		flags.rss_kb = 1;
		flags.pss_kb = 0;
		if (array_add(&dt->maps, donor->maps.v[i]) || array_add(&dt->vma_flags, flags))
			return fail(-ENOMEM, "mappings");
	}
	return 0;
}

/* -EAGAIN: some have a policy of their own, or this is not known. */
static int find_mappings(struct dump *dump, struct dump_task *dt, const struct dump_task *donor)
{
	int err = kernel_task_read_mappings(dump->kernel_tasks, dt->kernel, MAPPINGS_MAX);

	if (err)
		return -EAGAIN;
	if (maps_the_same(dt, donor))
		return copy_mappings(dt, donor);
	err = dump_read_mappings(dump, dt);
	return err ? err : has_known_mappings(dt, false) ? 0 : -EAGAIN;
}

/*
 * Not in what a dumper that died left behind: a cave, which compel_inspect() has looked for, or its scratch area, which
 * has no file.
 */
static bool is_in_own_code(const struct dump_task *dt)
{
	const struct kernel_vma *v;
	uint64_t ip;

	if (!compel_where(&dt->threads[0].snapshot, &ip))
		return false;
	v = maps_find(&dt->maps, ip);
	return v && (v->ino || !strcmp(v->name, "[vdso]"));
}

static void forget_threads(struct dump_task *dt)
{
	compel_thread_state_clear(&dt->threads[0].cpu);
	proc_status_free(&dt->threads[0].status);
	dt->status = (struct proc_status){ 0 };
}

int dump_answer_alike(struct dump *dump, struct dump_task *dt)
{
	struct dump_task *donor = !dump->no_alikes && is_plain(dt) ? find_donor(dump, dt) : NULL;
	int err = donor ? find_mappings(dump, dt, donor) : -EAGAIN;

	if (err)
		return err;
	err = dump_read_threads(dump, dt);
	if (err && err != -EAGAIN)
		return err;
	if (err || !dt->nr_threads || dt->status.seccomp || !is_in_own_code(dt)) {
		forget_threads(dt);
		return -EAGAIN;
	}
	return take_answers(dt, donor);
}
