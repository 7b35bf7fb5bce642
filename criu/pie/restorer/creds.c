// SPDX-License-Identifier: GPL-2.0-only
/*
 * Inside a task: no libc, no globals, direct system calls only. Credentials of one thread: capabilities(7). Only
 * differences are set: a task of an ordinary user is restored without a capability. Where ids change, securebits keep
 * the capabilities meanwhile; inheritable ones are set before the bounding set is reduced, which would prevent it;
 * capabilities come last, as everything else needs them.
 */
#include <compel/pie.h>
#include <linux/fcntl.h>
#include "base/bits.h"
#include "restorer.h"

enum {
	SET_KEEPCAPS = 8,
	CAPBSET_READ = 23,
	CAPBSET_DROP = 24,
	GET_SECUREBITS = 27,
	SET_SECUREBITS = 28,
	SET_NO_NEW_PRIVS = 38,
	GET_NO_NEW_PRIVS = 39,
	AMBIENT = 47,
	AMBIENT_IS_SET = 1,
	AMBIENT_RAISE = 2,
	AMBIENT_LOWER = 3,
	AMBIENT_CLEAR_ALL = 4,
	NO_SETUID_FIXUP = 1 << 2,
	KEEP_CAPS = 1 << 4,
	CAP_SYS_ADMIN_NR = 21,
	SECCOMP_FILTERS = 2,
	GROUPS_COMPARED = 64,
};
#define CAP_VERSION_3 0x20080522u

struct caps {
	uint64_t eff, prm, inh;
};

static long get_caps(struct caps *ret)
{
	struct {
		uint32_t version;
		int32_t pid;
	} head = { CAP_VERSION_3, 0 };
	uint32_t d[2][3];

	long err = sys_capget(&head, d);
	if (err < 0)
		return err;
	ret->eff = d[0][0] | (uint64_t)d[1][0] << 32;
	ret->prm = d[0][1] | (uint64_t)d[1][1] << 32;
	ret->inh = d[0][2] | (uint64_t)d[1][2] << 32;
	return 0;
}

/* Sets them unless @now, which is kept up to date, has the same. */
static long set_caps(struct caps *now, const struct caps *c)
{
	struct {
		uint32_t version;
		int32_t pid;
	} head = { CAP_VERSION_3, 0 };
	uint32_t d[2][3];

	if (now->eff == c->eff && now->prm == c->prm && now->inh == c->inh)
		return 0;
	for (int i = 0; i < 2; i++) {
		d[i][0] = (uint32_t)(c->eff >> 32 * i);
		d[i][1] = (uint32_t)(c->prm >> 32 * i);
		d[i][2] = (uint32_t)(c->inh >> 32 * i);
	}
	long err = sys_capset(&head, d);
	if (err >= 0)
		*now = *c;
	return err;
}

static uint64_t join(const uint32_t v[2])
{
	return v[0] | (uint64_t)v[1] << 32;
}

static long set_groups(const struct wire_creds *c)
{
	uint32_t now[GROUPS_COMPARED];

	long n = c->nested ? -1 : sys_getgroups(GROUPS_COMPARED, now);
	if (n == (long)c->nr_groups && !memcmp(now, (void *)c->groups, (size_t)n * sizeof(now[0])))
		return 0;
	return sys_setgroups(c->nr_groups, (const gid_t *)c->groups);
}

enum { UNCHANGED = 0xffffffffu };

static bool differs(uint32_t now, uint32_t want)
{
	return want != UNCHANGED && now != want;
}

static bool ids_differ(const struct wire_creds *c)
{
	uint32_t r = 0, e = 0, s = 0, gr = 0, ge = 0, gs = 0;

	sys_getresuid(&r, &e, &s);
	sys_getresgid(&gr, &ge, &gs);
	/* An id that is always refused: returns the current one without a change. */
	return differs(r, c->uid) || differs(e, c->euid) || differs(s, c->suid) || differs(gr, c->gid) ||
	       differs(ge, c->egid) || differs(gs, c->sgid) || differs((uint32_t)sys_setfsuid((uid_t)-1), c->fsuid) ||
	       differs((uint32_t)sys_setfsgid((gid_t)-1), c->fsgid);
}

static bool users_stay(const struct wire_creds *c)
{
	return (c->uid & c->euid & c->suid) == UNCHANGED;
}

static bool groups_stay(const struct wire_creds *c)
{
	return (c->gid & c->egid & c->sgid) == UNCHANGED;
}

static bool changes_ids(const struct wire_creds *c)
{
	return c->nested ? !users_stay(c) || !groups_stay(c) || (c->fsuid & c->fsgid) != UNCHANGED : ids_differ(c);
}

static long set_ids(const struct wire_creds *c)
{
	struct caps now, caps;

	if (!changes_ids(c))
		return 0;
	long bits = sys_prctl(GET_SECUREBITS, 0, 0, 0, 0);
	if (!(bits & NO_SETUID_FIXUP) && sys_prctl(SET_SECUREBITS, (unsigned long)bits | NO_SETUID_FIXUP, 0, 0, 0) < 0)
		sys_prctl(SET_KEEPCAPS, 1, 0, 0, 0);
	/* They change the id for files, too. */
	long err = groups_stay(c) ? 0 : sys_setresgid(c->gid, c->egid, c->sgid);
	if (err < 0)
		return err;
	sys_setfsgid(c->fsgid);
	err = users_stay(c) ? 0 : sys_setresuid(c->uid, c->euid, c->suid);
	if (err < 0)
		return err;
	sys_setfsuid(c->fsuid);
	if (ids_differ(c))
		return -E_PERM;
	/* With keepcaps alone, the effective ones are cleared, but can be set again. */
	err = get_caps(&now);
	if (err < 0)
		return err;
	caps = now;
	caps.eff = caps.prm;
	return set_caps(&now, &caps);
}

/* Bits that are not in the bounding set now cannot be added; load has warned of them. */
static long drop_bounding(const struct wire_creds *c)
{
	uint64_t keep = join(c->cap_bnd);

	for (uint32_t cap = 0; cap <= c->last_cap; cap++) {
		if (keep & BIT(cap) || sys_prctl(CAPBSET_READ, cap, 0, 0, 0) <= 0)
			continue;
		long err = sys_prctl(CAPBSET_DROP, cap, 0, 0, 0);
		if (err < 0)
			return err;
	}
	return 0;
}

static long set_ambient(const struct wire_creds *c)
{
	uint64_t want = join(c->cap_amb);

	if (!want) {
		long err = sys_prctl(AMBIENT, AMBIENT_CLEAR_ALL, 0, 0, 0);
		return err == -E_INVAL ? 0 : err; /* not supported by this kernel */
	}
	for (uint32_t cap = 0; cap <= c->last_cap; cap++) {
		bool set = sys_prctl(AMBIENT, AMBIENT_IS_SET, cap, 0, 0) > 0, wanted = want & BIT(cap);

		if (set == wanted)
			continue;
		long err = sys_prctl(AMBIENT, wanted ? AMBIENT_RAISE : AMBIENT_LOWER, cap, 0, 0);
		if (err < 0)
			return err;
	}
	return 0;
}

static long set_securebits(const struct wire_creds *c)
{
	unsigned long now = (unsigned long)sys_prctl(GET_SECUREBITS, 0, 0, 0, 0);

	if (now == c->securebits)
		return 0;
	if ((now ^ c->securebits) == KEEP_CAPS)
		return sys_prctl(SET_KEEPCAPS, !!(c->securebits & KEEP_CAPS), 0, 0, 0);
	return sys_prctl(SET_SECUREBITS, c->securebits, 0, 0, 0);
}

/*
 * For the filters of a thread that cannot install any itself any more: it keeps the capability until they are
 * installed.
 */
static uint64_t kept_for_filters(const struct wire_thread *thread)
{
	const struct wire_creds *c = &thread->creds;

	return thread->seccomp_mode == SECCOMP_FILTERS && !c->no_new_privs ? BIT(CAP_SYS_ADMIN_NR) : 0;
}

static long final_caps(struct caps *now, const struct wire_creds *c, uint64_t kept)
{
	struct caps want = { join(c->cap_eff), join(c->cap_prm), join(c->cap_inh) };

	want.eff |= kept & now->prm;
	want.prm |= kept & now->prm;
	return set_caps(now, &want);
}

static int write_label(const struct wire_task *task, int fd)
{
	long err = sys_write(fd, (const void *)task->label, task->label_len);

	if (err < 0)
		return restorer_fail(task, err, "set its security label (is the profile loaded?)");
	return err == (long)task->label_len ? 0 : restorer_fail(task, -E_PERM, "set its security label");
}

int restore_label(struct wire_task *task)
{
	return task->label_fd < 0 || task->label_path ? 0 : write_label(task, task->label_fd);
}

/*
 * Of AppArmor, which checks capabilities against the profile, too: when the thread needs none any more. The kernel lets a
 * thread write to a file of its own only. One that keeps a capability for its filters also keeps the descriptor.
 */
static int set_profile(struct wire_thread *thread)
{
	struct wire_task *task = task_of(thread);

	if (task->label_fd < 0 || !task->label_path)
		return 0;
	long fd = sys_call4(__NR_openat, task->label_fd, (long)task->label_path, O_WRONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return restorer_fail(task, fd, "open attr/current for its security label");
	bool later = kept_for_filters(thread) && !thread->ends;
	if (later && !fd) {
		fd = sys_fcntl(0, F_DUPFD_CLOEXEC, 1);
		sys_close(0);
		if (fd < 0)
			return restorer_fail(task, fd, "keep attr/current open");
	}
	if (later) {
		thread->label_fd = (int32_t)fd;
		return 0;
	}
	int err = write_label(task, (int)fd);

	sys_close((int)fd);
	return err;
}

int restore_creds(struct wire_thread *thread)
{
	struct wire_task *task = task_of(thread);
	const struct wire_creds *c = &thread->creds;
	struct caps now, caps;

	if (thread->inherited & INHERITED_CREDS)
		return set_profile(thread);
	long err = c->has_groups ? 0 : set_groups(c);
	if (err < 0)
		return restorer_fail(task, err, "set the groups");
	err = set_ids(c);
	if (err < 0)
		return restorer_fail_nr(task, err, "become the user", c->uid);
	err = get_caps(&now);
	if (err >= 0) {
		caps = now;
		caps.inh = join(c->cap_inh);
		err = set_caps(&now, &caps);
	}
	if (err < 0)
		return restorer_fail(task, err, "set the inheritable capabilities");
	err = drop_bounding(c);
	if (err < 0)
		return restorer_fail(task, err, "shrink the bounding set of capabilities");
	err = set_ambient(c);
	if (err < 0)
		return restorer_fail(task, err, "set the ambient capabilities");
	err = set_securebits(c);
	if (err < 0)
		return restorer_fail_nr(task, err, "set the securebits to", c->securebits);
	/* no_new_privs may deny it; without CAP_MAC_OVERRIDE some kernels do. */
	int labelled = set_profile(thread);
	if (labelled)
		return labelled;
	if (c->no_new_privs && sys_prctl(GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1) {
		err = sys_prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		if (err < 0)
			return restorer_fail(task, err, "set no_new_privs");
	}
	err = final_caps(&now, c, kept_for_filters(thread));
	return err < 0 ? restorer_fail(task, err, "set the capabilities") : 0;
}

int restore_creds_finish(struct wire_thread *thread)
{
	/* Not asked for: a profile of AppArmor hides those that it denies. */
	struct caps now = { ~0ull, ~0ull, ~0ull };

	if (!kept_for_filters(thread))
		return 0;
	if (thread->label_fd) {
		int labelled = write_label(task_of(thread), thread->label_fd);

		sys_close(thread->label_fd);
		/* Nothing else could end it: the tool is gone, and it would run unconfined. */
		if (labelled)
			sys_exit_group(1);
	}
	/* Its filters may not let it call capset(2), which is only needed for what it has not by itself. */
	if (join(thread->creds.cap_eff) & join(thread->creds.cap_prm) & BIT(CAP_SYS_ADMIN_NR))
		return 0;
	long err = final_caps(&now, &thread->creds, 0);

	return err < 0 ? restorer_fail(task_of(thread), err, "give up CAP_SYS_ADMIN again") : 0;
}
