// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. Attributes set by prctl(2), except credentials. */
#include <compel/pie.h>
#include "base/bits.h"
#include "restorer.h"

enum {
	SET_PDEATHSIG = 1,
	GET_DUMPABLE = 3,
	SET_DUMPABLE = 4,
	SET_NAME = 15,
	MCE_KILL = 33,
	MCE_KILL_SET = 1,
	SET_CHILD_SUBREAPER = 36,
	SET_THP_DISABLE = 41,
	GET_THP_DISABLE = 42,
	GET_SPECULATION_CTRL = 52,
	SET_SPECULATION_CTRL = 53,
	SPEC_CHOICES = 0x1e,
	SPEC_ENABLE = 2,
	SET_IO_FLUSHER = 57,
	SET_MDWE = 65,
	GET_MDWE = 66,
	SET_MEMORY_MERGE = 67,
	GET_MEMORY_MERGE = 68,
	FUTEX_HASH = 78,
	FUTEX_HASH_SET_SLOTS = 1,
	FUTEX_HASH_GET_SLOTS = 2,
	MEMBARRIER_COMMANDS = 10,
	SET_REQKEY_KEYRING = 14, /* keyctl(2) */
};

int restore_membarrier(struct wire_task *task)
{
	if (task->membarrier <= 0)
		return 0;
	for (int bit = 0; bit < MEMBARRIER_COMMANDS; bit++) {
		if (!(task->membarrier & 1 << bit))
			continue;
		long err = sys_membarrier(1 << bit, 0, 0);
		if (err < 0)
			return restorer_fail_nr(task, err, "register for membarrier", 1 << bit);
	}
	return 0;
}

int restore_subreaper(struct wire_task *task)
{
	/* No new process is one. */
	if (!task->child_subreaper)
		return 0;
	long err = sys_prctl(SET_CHILD_SUBREAPER, (unsigned long)!!task->child_subreaper, 0, 0, 0);

	return err < 0 ? restorer_fail(task, err, "set child_subreaper") : 0;
}

int restore_personality(struct wire_thread *thread)
{
	uint32_t want = thread->personality;

	if (thread->inherited & INHERITED_PERSONALITY || (uint32_t)sys_personality(0xffffffffu) == want)
		return 0;
	long err = sys_personality(want);
	return err < 0 ? restorer_fail_nr(task_of(thread), err, "set the personality to", want) : 0;
}

int restore_name(struct wire_thread *thread)
{
	const struct wire_thread *first = (void *)task_of(thread)->threads;
	bool same = thread->index && !thread->exists;

	/* The first thread has its name before it creates the others, which inherit it. */
	for (size_t i = 0; same && i < sizeof(thread->comm) && (!i || thread->comm[i - 1]); i++)
		same = thread->comm[i] == first->comm[i];
	if (same)
		return 0;
	long err = sys_prctl(SET_NAME, (unsigned long)thread->comm, 0, 0, 0);

	return err < 0 ? restorer_fail(task_of(thread), err, "set the name") : 0;
}

static int set_speculation(struct wire_task *task, unsigned long which, int32_t want)
{
	unsigned long choice = (unsigned long)want & SPEC_CHOICES;

	if (want < 0 || sys_prctl(GET_SPECULATION_CTRL, which, 0, 0, 0) == want)
		return 0;
	long err = sys_prctl(SET_SPECULATION_CTRL, which, choice, 0, 0);
	/* A machine that is stricter than requested is fine. */
	if (err < 0 && choice != SPEC_ENABLE)
		return restorer_fail_nr(task, err, "forbid speculation number", (long)which);
	return 0;
}

int restore_controls(struct wire_thread *t)
{
	struct wire_task *task = task_of(t);
	long err;

	if (t->io_flusher >= 0) {
		err = sys_prctl(SET_IO_FLUSHER, (unsigned long)t->io_flusher, 0, 0, 0);
		if (err < 0)
			return restorer_fail(task, err, "set the I/O flusher state");
	}
	if (t->mce_kill >= 0) {
		err = sys_prctl(MCE_KILL, MCE_KILL_SET, (unsigned long)t->mce_kill, 0, 0);
		if (err < 0)
			return restorer_fail(task, err, "set the machine check policy");
	}
	if (t->reqkey_keyring > 0) {
		err = sys_call2(__NR_keyctl, SET_REQKEY_KEYRING, t->reqkey_keyring);
		if (err < 0)
			return restorer_fail(task, err, "set the keyring for requested keys");
	}
	int ret = set_speculation(task, 0, t->spec_store_bypass);
	ret = ret ? ret : set_speculation(task, 1, t->spec_indirect_branch);
	return ret ? ret : set_speculation(task, 2, t->spec_l1d_flush);
}

/* Set even if there is none: the process that restores has requested a signal itself. New threads have not. */
int restore_pdeath(struct wire_thread *thread)
{
	if (thread->index && !thread->pdeath_signal)
		return 0;
	long err = sys_prctl(SET_PDEATHSIG, (unsigned long)thread->pdeath_signal, 0, 0, 0);

	return err < 0 ? restorer_fail(task_of(thread), err, "set the parent death signal") : 0;
}

/* No task of this memory has changed its credentials, which would change this. */
static bool is_dumpable(const struct wire_task *t)
{
	const struct wire_thread *threads = (void *)t->threads;
	const struct wire_group *group = (void *)t->group;
	uint32_t as_made = INHERITED_DUMPABLE;

	for (uint32_t i = 0; i < t->nr_threads; i++)
		as_made = threads[i].inherited & INHERITED_CREDS ? as_made : 0;
	return group->members == 1 && threads[0].inherited & as_made;
}

int restore_mm_attributes(struct wire_task *t)
{
	const struct wire_thread *first = (void *)t->threads;
	long err = 0;

	if (t->dumpable >= 0 && !is_dumpable(t) && sys_prctl(GET_DUMPABLE, 0, 0, 0, 0) != t->dumpable)
		err = sys_prctl(SET_DUMPABLE, (unsigned long)t->dumpable, 0, 0, 0);
	if (err < 0)
		return restorer_fail(t, err, "set dumpable");
	if (t->thp_disabled >= 0 && !(first->inherited & INHERITED_THP) &&
	    sys_prctl(GET_THP_DISABLE, 0, 0, 0, 0) != t->thp_disabled)
		err = sys_prctl(SET_THP_DISABLE, t->thp_disabled & 1, (unsigned long)t->thp_disabled & ~1ul, 0, 0);
	if (err < 0)
		return restorer_fail(t, err, "set the use of huge pages");
	if (t->memory_merge >= 0 && sys_prctl(GET_MEMORY_MERGE, 0, 0, 0, 0) != t->memory_merge)
		err = sys_prctl(SET_MEMORY_MERGE, (unsigned long)t->memory_merge, 0, 0, 0);
	if (err < 0)
		return restorer_fail(t, err, "set the merging of equal pages");
	/* Older kernels have one table for all. The kernel's own choice for the number of threads is left alone. */
	if (t->futex_slots >= 0) {
		long now = sys_prctl(FUTEX_HASH, FUTEX_HASH_GET_SLOTS, 0, 0, 0);

		if (now >= 0 && now != t->futex_slots)
			err = sys_prctl(FUTEX_HASH, FUTEX_HASH_SET_SLOTS, (unsigned long)t->futex_slots, 0, 0);
	}
	if (err < 0)
		return restorer_fail(t, err, "set the slots of the futex table");
	if (t->mdwe >= 0 && sys_prctl(GET_MDWE, 0, 0, 0, 0) != t->mdwe)
		err = sys_prctl(SET_MDWE, (unsigned long)t->mdwe, 0, 0, 0);
	return err < 0 ? restorer_fail(t, err, "set memory-deny-write-execute") : 0;
}
