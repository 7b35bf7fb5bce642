// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/tasks.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "kmem/landlock.h"
#include "kmem/tasks_reader.h"

/* Structs whose fields are read together: the later ones are found through the first. */
enum stage { OF_TASK, OF_SIGNAL, OF_MM, OF_CRED, OF_FS };

#define TO(member) offsetof(struct kernel_task, member), sizeof(((struct kernel_task *)0)->member)
#define SAME(member) TO(same.member)

static const struct kernel_value values[] = {
	{ OF_TASK, "task_struct", "mm", TO(mm), false },
	{ OF_TASK, "task_struct", "files", TO(files), false },
	{ OF_TASK, "task_struct", "fs", TO(fs), false },
	{ OF_TASK, "task_struct", "sighand", TO(sighand), false },
	{ OF_TASK, "task_struct", "signal", TO(signal), false },
	{ OF_TASK, "task_struct", "nsproxy", TO(nsproxy), false },
	{ OF_TASK, "task_struct", "cgroups", TO(cgroups), false },
	{ OF_TASK, "task_struct", "cred", TO(cred), false },
	{ OF_TASK, "task_struct", "real_cred", TO(real_cred), false },
	{ OF_TASK, "task_struct", "thread_pid", TO(pid), false },
	{ OF_TASK, "task_struct", "sysvsem.undo_list", TO(undo_list), false },
	{ OF_TASK, "task_struct", "clear_child_tid", TO(clear_child_tid), false },
	{ OF_TASK, "task_struct", "timer_slack_ns", TO(timer_slack_ns), false },
	{ OF_TASK, "task_struct", "pdeath_signal", TO(pdeath_signal), false },
	{ OF_TASK, "task_struct", "personality", TO(personality), false },
	{ OF_TASK, "task_struct", "sas_ss_sp", SAME(altstack_sp), false },
	{ OF_TASK, "task_struct", "sas_ss_size", SAME(altstack_size), false },
	{ OF_TASK, "task_struct", "sas_ss_flags", SAME(altstack_flags), false },
	{ OF_TASK, "task_struct", "atomic_flags", SAME(atomic_flags), false },
	{ OF_TASK, "task_struct", "thread_info.flags", SAME(thread_flags), false },
	{ OF_TASK, "task_struct", "thread_info.syscall_work", SAME(syscall_work), false },
	{ OF_TASK, "task_struct", "io_context", SAME(io_context), false },
	{ OF_TASK, "task_struct", "mempolicy", SAME(policy), false },
	{ OF_TASK, "task_struct", "loginuid", SAME(loginuid), false },
	{ OF_TASK, "task_struct", "syscall_dispatch.offset", SAME(dispatch_offset), false },
	{ OF_TASK, "task_struct", "syscall_dispatch.len", SAME(dispatch_len), false },
	{ OF_TASK, "task_struct", "policy", SAME(sched_policy), false },
	{ OF_TASK, "task_struct", "static_prio", SAME(static_prio), false },
	{ OF_TASK, "task_struct", "thread.fpu.perm.__state_perm", SAME(fpu_perm), true }, /* or: find_fpu_perm() */
	{ OF_SIGNAL, "signal_struct", "rlim", TO(rlimits), false },
	{ OF_SIGNAL, "signal_struct", "oom_score_adj", TO(oom_score_adj), false },
	{ OF_SIGNAL, "signal_struct", "is_child_subreaper", SAME(reaper), false },
	{ OF_SIGNAL, "signal_struct", "timer_create_restore_ids", SAME(timer_restore_ids), true },
	{ OF_MM, "mm_struct", "brk", TO(brk), false },
	{ OF_MM, "mm_struct", "exe_file", TO(exe_file), false },
	{ OF_MM, "mm_struct", "saved_auxv", TO(auxv), false },
	{ OF_MM, "mm_struct", "flags", SAME(mm_flags), false },
	{ OF_MM, "mm_struct", "def_flags", SAME(def_flags), false },
	{ OF_MM, "mm_struct", "membarrier_state", SAME(membarrier), false },
	{ OF_MM, "mm_struct", "futex_phash", SAME(futex_hash), true },
	{ OF_MM, "mm_struct", "context.ldt", SAME(ldt), true },
	{ OF_CRED, "cred", "securebits", SAME(securebits), false },
	{ OF_CRED, "cred", "cap_effective", SAME(caps), false },
	{ OF_CRED, "cred", "session_keyring", SAME(session_keyring), false },
	{ OF_CRED, "cred", "process_keyring", SAME(process_keyring), false },
	{ OF_CRED, "cred", "thread_keyring", SAME(thread_keyring), false },
	{ OF_CRED, "cred", "jit_keyring", SAME(reqkey_keyring), false },
	{ OF_CRED, "cred", "user", SAME(user), false },
	{ OF_CRED, "cred", "user_ns", SAME(user_ns), false },
	{ OF_CRED, "cred", "security", TO(security), false },
	{ OF_FS, "fs_struct", "root", TO(root), false },
	{ OF_FS, "fs_struct", "pwd", TO(cwd), false },
};

_Static_assert(ARRAY_SIZE(values) <= KERNEL_TASK_VALUES, "struct kernel_tasks_reader has space");

static const struct kernel_field fields[] = {
#define ROW(name, type, path, other) { type, path, other, offsetof(struct kernel_tasks_fields, name), false },
	KERNEL_TASKS_FIELDS(ROW)
#undef ROW
#define ROW(name, type, path, other) { type, path, other, offsetof(struct kernel_tasks_fields, name), true },
		KERNEL_TASKS_OPTIONAL_FIELDS(ROW)
};

static const struct kernel_reader_type reader_type = KERNEL_READER_TYPE(struct kernel_tasks_reader, fields);

/* ---- open ---- */

/* Since Linux 6.16 struct fpu follows task_struct: arch/x86/include/asm/processor.h x86_task_fpu() */
static void find_fpu_perm(struct kernel_tasks_reader *r)
{
	const long behind = btf_sizeof(r->mem.btf, "task_struct"),
		   perm = btf_byte(r->mem.btf, "fpu", "perm.__state_perm");

	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (values[i].to == offsetof(struct kernel_task, same.fpu_perm) && r->values[i] < 0 && behind > 0 &&
		    perm >= 0)
			r->values[i] = behind + perm;
}

static int find_values(struct kernel_tasks_reader *r)
{
	int err = kernel_values_find(r->mem.btf, values, ARRAY_SIZE(values), r->values);

	if (!err)
		find_fpu_perm(r);
	return err;
}

static int find_landlock(struct kernel_tasks_reader *r)
{
	unsigned word;
	int err = landlock_is_there() ? landlock_find_word(&r->mem, &word) : -ENOENT;

	r->landlock_word = err ? -1 : (int)word;
	return err == -ENOENT ? 0 : err;
}

int kernel_tasks_open(struct kernel_tasks_reader **ret)
{
	int err;
	struct kernel_tasks_reader *r = kernel_reader_new(&reader_type, &err);

	if (!r)
		return err;
	err = r->mem.at_vfs_inode < 0 || r->mem.at_links < 0 ? -EOPNOTSUPP : find_values(r);
	if (!err)
		err = find_landlock(r);
	if (!err)
		err = kernel_batch_open(&r->batch);
	if (err) {
		kernel_reader_free(r);
		return err;
	}
	*ret = r;
	return 0;
}

void kernel_tasks_close(struct kernel_tasks_reader *r)
{
	if (!r)
		return;
	kernel_batch_close(&r->batch);
	free(r->walk);
	kernel_reader_free(r);
}

static long place_of(const struct kernel_tasks_reader *r, size_t to)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (values[i].to == to)
			return r->values[i];
	return -ENOENT;
}

bool kernel_tasks_has_futex_hash(const struct kernel_tasks_reader *r)
{
	return place_of(r, offsetof(struct kernel_task, same.futex_hash)) >= 0;
}

bool kernel_tasks_has_timer_ids(const struct kernel_tasks_reader *r)
{
	return place_of(r, offsetof(struct kernel_task, same.timer_restore_ids)) >= 0;
}

bool kernel_tasks_has_fpu_perm(const struct kernel_tasks_reader *r)
{
	return place_of(r, offsetof(struct kernel_task, same.fpu_perm)) >= 0;
}

/* ---- read ---- */

/* In each of @tasks replaces the address at offset @base by the word that is stored @offset after that address. */
static int step(struct kernel_tasks_reader *r, struct kernel_task *tasks, size_t n, size_t base, long offset)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t *at = (uint64_t *)((char *)&tasks[i] + base);

		kernel_batch_add(&r->batch, *at ? *at + (uint64_t)offset : 0, at, sizeof(*at));
	}
	return kernel_batch_run(&r->batch);
}

/* The inode of a file in /proc has its struct pid, and the first list of that has the task. */
static int find_tasks(struct kernel_tasks_reader *r, const int *dirs, struct kernel_task *tasks, size_t n)
{
	const size_t task = offsetof(struct kernel_task, task);
	uint64_t files;
	int err = kernel_memory_files(&r->mem, &files);

	for (size_t i = 0; i < n; i++)
		tasks[i].task = files + 8ull * (unsigned)dirs[i];
	if (!err)
		err = step(r, tasks, n, task, 0);
	if (!err)
		err = step(r, tasks, n, task, r->mem.at_inode);
	if (!err)
		err = step(r, tasks, n, task, r->mem.at_pid - r->mem.at_vfs_inode);
	if (!err)
		err = step(r, tasks, n, task, r->mem.at_tasks);
	for (size_t i = 0; !err && i < n; i++)
		tasks[i].task -= tasks[i].task ? (uint64_t)r->mem.at_links : 0;
	return err;
}

static uint64_t base_of(const struct kernel_task *t, enum stage of)
{
	const uint64_t bases[] = {
		[OF_TASK] = t->task, [OF_SIGNAL] = t->signal, [OF_MM] = t->mm, [OF_CRED] = t->cred, [OF_FS] = t->fs,
	};

	return bases[of];
}

static void add_values(struct kernel_tasks_reader *r, struct kernel_task *t, bool first)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		const struct kernel_value *v = &values[i];
		uint64_t base = base_of(t, v->of);

		if ((v->of == OF_TASK) != first || r->values[i] < 0)
			continue;
		kernel_batch_add(&r->batch, base ? base + (uint64_t)r->values[i] : 0, (char *)t + v->to, v->len);
	}
}

/* Raw data that must be converted. */
struct raw {
	char actions[KERNEL_TASK_NR_SIG * 64];
	uint64_t timer, interval, itimers[8], posix_timers;
	uint64_t fds, open, cloexec, ns;
	uint32_t level;
};

static void take_actions(const struct kernel_tasks_reader *r, const struct raw *raw, struct kernel_task *t)
{
	const struct kernel_tasks_fields *at = &r->at;

	for (size_t i = 0; i < KERNEL_TASK_NR_SIG; i++) {
		const char *from = raw->actions + i * (size_t)at->action_size;
		struct kernel_sigaction *to = &t->actions[i];

		memcpy(&to->handler, from + at->action_handler, 8);
		memcpy(&to->flags, from + at->action_flags, 8);
		memcpy(&to->mask, from + at->action_mask, 8);
		if (at->action_restorer >= 0)
			memcpy(&to->restorer, from + at->action_restorer, 8);
	}
}

/* A timer that is not queued points to itself (RB_CLEAR_NODE). */
static void take_timers(const struct kernel_tasks_reader *r, const struct raw *raw, struct kernel_task *t)
{
	uint64_t queued = raw->timer != t->signal + (uint64_t)r->at.real_timer;

	for (size_t i = 0; i < 2 * (size_t)r->at.itimer_size / 8; i++)
		queued |= raw->itimers[i];
	t->has_timers = queued || raw->interval || raw->posix_timers;
}

static void add_second(struct kernel_tasks_reader *r, struct kernel_task *t, struct raw *raw)
{
	const struct kernel_tasks_fields *at = &r->at;

	kernel_batch_add(&r->batch, t->sighand + (uint64_t)at->action, raw->actions,
			 KERNEL_TASK_NR_SIG * (size_t)at->action_size);
	kernel_batch_add(&r->batch, t->signal + (uint64_t)at->real_timer, &raw->timer, 8);
	kernel_batch_add(&r->batch, t->signal + (uint64_t)at->real_interval, &raw->interval, 8);
	kernel_batch_add(&r->batch, t->signal + (uint64_t)at->itimers, raw->itimers, 2 * (size_t)at->itimer_size);
	kernel_batch_add(&r->batch, t->signal + (uint64_t)at->posix_timers, &raw->posix_timers, 8);
	kernel_batch_add(&r->batch, t->files ? t->files + (uint64_t)at->files_fdt : 0, &t->fdt, 8);
	kernel_batch_add(&r->batch, t->pid + (uint64_t)at->pid_level, &raw->level, sizeof(raw->level));
	add_values(r, t, false);
}

static void add_third(struct kernel_tasks_reader *r, struct kernel_task *t, struct raw *raw)
{
	const struct kernel_tasks_fields *at = &r->at;
	const uint64_t numbers = t->pid + (uint64_t)(at->pid_numbers + at->upid_ns);

	kernel_batch_add(&r->batch, numbers + raw->level * (uint64_t)at->upid_size, &t->pid_ns, 8);
	if (t->fdt) {
		kernel_batch_add(&r->batch, t->fdt + (uint64_t)at->max_fds, &t->max_fds, sizeof(t->max_fds));
		kernel_batch_add(&r->batch, t->fdt + (uint64_t)at->fd, &raw->fds, 8);
		kernel_batch_add(&r->batch, t->fdt + (uint64_t)at->open_fds, &raw->open, 8);
		kernel_batch_add(&r->batch, t->fdt + (uint64_t)at->close_on_exec, &raw->cloexec, 8);
	}
	if (r->landlock_word >= 0 && t->security)
		kernel_batch_add(&r->batch, t->security + 8ull * (unsigned)r->landlock_word, &t->same.landlock, 8);
}

static void add_fourth(struct kernel_tasks_reader *r, struct kernel_task *t, const struct raw *raw)
{
	size_t len = MIN_OF(t->max_fds, (uint32_t)KERNEL_TASK_FDS) / 64 * 8;

	if (!t->fdt || t->max_fds < 64 || t->max_fds > KERNEL_TASK_FDS)
		return;
	t->fds_known = true;
	kernel_batch_add(&r->batch, raw->open, t->open_fds, len);
	kernel_batch_add(&r->batch, raw->cloexec, t->cloexec_fds, len);
}

/* Bits of closed descriptors are undefined. */
static int add_fifth(struct kernel_tasks_reader *r, struct kernel_task *t, const struct raw *raw)
{
	for (size_t i = 0; i < KERNEL_TASK_FDS / 64; i++) {
		t->cloexec_fds[i] &= t->open_fds[i];
		if (t->open_fds[i])
			t->nr_fds = i * 64 + 64 - (size_t)__builtin_clzll(t->open_fds[i]);
	}
	if (!t->fds_known || !t->nr_fds)
		return 0;
	t->fds = calloc(t->nr_fds, sizeof(*t->fds));
	if (!t->fds)
		return -ENOMEM;
	kernel_batch_add(&r->batch, raw->fds, t->fds, t->nr_fds * sizeof(*t->fds));
	return 0;
}

#define AT_ONCE 16

static int read_some(struct kernel_tasks_reader *r, struct kernel_task *tasks, size_t n, struct raw *raw)
{
	int err;

	for (size_t i = 0; i < n; i++)
		add_values(r, &tasks[i], true);
	err = kernel_batch_run(&r->batch);
	for (size_t i = 0; !err && i < n; i++) {
		if (!tasks[i].mm || !tasks[i].signal || !tasks[i].sighand || !tasks[i].pid)
			return -ESRCH;
		add_second(r, &tasks[i], &raw[i]);
	}
	err = err ? err : kernel_batch_run(&r->batch);
	for (size_t i = 0; !err && i < n; i++)
		add_third(r, &tasks[i], &raw[i]);
	err = err ? err : kernel_batch_run(&r->batch);
	for (size_t i = 0; !err && i < n; i++)
		add_fourth(r, &tasks[i], &raw[i]);
	err = err ? err : kernel_batch_run(&r->batch);
	for (size_t i = 0; !err && i < n; i++) {
		take_actions(r, &raw[i], &tasks[i]);
		take_timers(r, &raw[i], &tasks[i]);
		err = add_fifth(r, &tasks[i], &raw[i]);
	}
	return err ? err : kernel_batch_run(&r->batch);
}

int kernel_tasks_read(struct kernel_tasks_reader *r, const int *dirs, struct kernel_task *tasks, size_t n)
{
	struct raw *raw = calloc(AT_ONCE, sizeof(*raw));
	int err = raw ? 0 : -ENOMEM;

	if (!err && (r->at.action_size > 64 || r->at.itimer_size > 32))
		err = -EOPNOTSUPP;
	if (!err)
		err = find_tasks(r, dirs, tasks, n);
	for (size_t i = 0; !err && i < n; i += AT_ONCE)
		err = read_some(r, tasks + i, MIN_OF(n - i, (size_t)AT_ONCE), raw);
	for (size_t i = 0; err && i < n; i++)
		kernel_task_free(&tasks[i]);
	free(raw);
	return err;
}

void kernel_task_free(struct kernel_task *t)
{
	free(t->fds);
	free(t->mappings);
	*t = (struct kernel_task){ 0 };
}

bool kernel_file_has_no_locks(struct kernel_tasks_reader *r, const struct kernel_task *t, int fd)
{
	uint64_t at = fd >= 0 && (size_t)fd < t->nr_fds ? t->fds[fd] : 0, locks = 1;

	if (!at || kernel_memory_field(&r->mem, at, r->at.f_inode, 8, &at) || !at)
		return false;
	return !kernel_memory_field(&r->mem, at, r->at.i_flctx, 8, &locks) && !locks;
}
