// SPDX-License-Identifier: GPL-2.0-only
#include "run/untrusted.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "run/caller.h"
#include "run/caps.h"
#include "run/restore.h"
#include "run/untrusted_user.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

enum { TASK_LOG_MAX = 1 << 20 };

static int set_caps(uint64_t effective, uint64_t permitted)
{
	const struct caps caps = { .effective = effective, .permitted = permitted };

	return caps_set(&caps);
}

/* ---- the tool ---- */

/*
 * All ids become the user's: no id operation in the images can bring ours back, as that takes CAP_SETUID. The permitted
 * set keeps the user from tracing us; and as we are not dumpable, we leave no core file that the user could read.
 */
static int give_up(struct untrusted *u)
{
	int err;

	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || syscall(SYS_setgroups, u->nr_groups, u->groups) < 0 ||
	    syscall(SYS_setresgid, u->gid, u->gid, u->gid) < 0 || syscall(SYS_setresuid, u->uid, u->uid, u->uid) < 0)
		return -errno;
	u->given_up = true;
	err = set_caps(BIT(CAP_CHECKPOINT_RESTORE), u->own_caps.permitted);
	if (!err && (prctl(PR_SET_KEEPCAPS, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0))
		err = -errno;
	return err;
}

static int take_back(struct untrusted *u)
{
	int err = set_caps(u->own_caps.permitted, u->own_caps.permitted);

	if (err)
		return err;
	if (syscall(SYS_setresgid, u->own_gid[0], u->own_gid[1], u->own_gid[2]) < 0 ||
	    syscall(SYS_setgroups, u->nr_own_groups, u->own_groups) < 0 ||
	    syscall(SYS_setresuid, u->own_uid[0], u->own_uid[1], u->own_uid[2]) < 0)
		return -errno;
	err = caps_set(&u->own_caps);
	if (!err && prctl(PR_SET_DUMPABLE, u->dumpable == 1) < 0)
		err = -errno;
	u->given_up = false;
	return err;
}

static int open_task_log(struct untrusted *u)
{
	u->task_log = memfd_create("criu-log", MFD_CLOEXEC);
	if (u->task_log < 0 || fcntl(u->task_log, F_SETFL, O_APPEND) < 0)
		return fail(-errno, "create a memory file for the log of tasks");
	return 0;
}

int untrusted_begin(struct restore *r)
{
	struct untrusted *u;
	int err;

	if (!r->opts->has_images_user)
		return 0;
	/* Not in the arena: it is written to while tasks are forked. */
	u = calloc(1, sizeof(*u));
	if (!u)
		return fail(-ENOMEM, "--untrusted-images");
	*u = (struct untrusted){ .uid = r->opts->images_user, .task_log = -1 };
	r->tool.untrusted = u;
	err = untrusted_find_user(r, u);
	if (err)
		return err;
	err = give_up(u);
	if (err)
		return fail(err, "--untrusted-images: assume the rights of user %u", u->uid);
	return open_task_log(u);
}

int untrusted_pause(struct restore *r)
{
	bool must = r->tool.untrusted && r->tool.untrusted->given_up && !r->opts->user_is_caller;
	int err = must ? take_back(r->tool.untrusted) : 0;

	return err ? fail(err, "--untrusted-images: restore our own rights") : 0;
}

int untrusted_resume(struct restore *r)
{
	int err = r->tool.untrusted && !r->tool.untrusted->given_up ? give_up(r->tool.untrusted) : 0;

	return err ? fail(err, "--untrusted-images: assume the rights of user %u", r->tool.untrusted->uid) : 0;
}

int untrusted_end(struct restore *r)
{
	int err;

	if (!r->tool.untrusted)
		return 0;
	untrusted_collect_log(r);
	err = untrusted_pause(r);
	if (r->tool.untrusted->task_log >= 0)
		close(r->tool.untrusted->task_log);
	free(r->tool.untrusted);
	r->tool.untrusted = NULL;
	return err;
}

/* As in the log itself: no control characters. */
static void make_plain(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if ((c < 0x20 && c != '\t' && c != '\n') || c == 0x7f)
			text[i] = '?';
	}
}

void untrusted_collect_log(struct restore *r)
{
	struct untrusted *u = r->tool.untrusted;
	char text[4096];

	while (u && u->task_log >= 0 && u->collected < TASK_LOG_MAX) {
		ssize_t got = pread(u->task_log, text, sizeof(text), u->collected);

		if (got <= 0)
			return;
		u->collected += got;
		make_plain(text, (size_t)got);
		if (log_fd() >= 0 && write_full(log_fd(), text, (size_t)got) < 0)
			return;
	}
}

/* ---- the tree ---- */

static int become_user(struct untrusted *u)
{
	const uint64_t kept = BIT(CAP_CHECKPOINT_RESTORE);
	uid_t uid[3];
	int err;

	err = caps_clear_ambient();
	if (err)
		return err;
	/* Raw system calls: libcap's cap_setuid() applies to all threads, and keeps the effective set. */
	if (prctl(PR_SET_KEEPCAPS, 1) < 0 || syscall(SYS_setresgid, u->gid, u->gid, u->gid) < 0 ||
	    syscall(SYS_setresuid, u->uid, u->uid, u->uid) < 0)
		return -errno;
	err = set_caps(kept, kept);
	if (err)
		return err;
	if (prctl(PR_SET_KEEPCAPS, 0) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return -errno;
	getresuid(&uid[0], &uid[1], &uid[2]);
	return uid[0] != u->uid || uid[1] != u->uid || uid[2] != u->uid ? -EPERM : 0;
}

/* Until its memory is complete, a task is a copy of us, with our caller's descriptors and directory. */
static int leave_descriptors(struct restore *r, const struct untrusted *u)
{
	int log = dup_fd_above(u->task_log, r->service_base), old = log_fd();

	if (log < 0)
		return fail(log, "redirect the log of the tree");
	log_to_fd(log);
	close(u->task_log);
	if (old > STDERR_FILENO)
		close(old);
	for (size_t i = 0; i < u->nr_fds; i++)
		close(u->fds[i]);
	return chdir("/") < 0 ? fail(-errno, "chdir to /") : 0;
}

int untrusted_settle(struct restore *r)
{
	struct untrusted *u = r->tool.untrusted;
	int err;

	if (!u)
		return 0;
	err = set_caps(u->own_caps.permitted, u->own_caps.permitted);
	if (err)
		return fail(err, "drop our own capabilities");
	err = caller_lower_priorities();
	if (err)
		return err;
	err = become_user(u);
	if (err)
		return fail(err, "become user %u permanently", u->uid);
	err = caller_leave_keyring();
	return err ? err : leave_descriptors(r, u);
}
