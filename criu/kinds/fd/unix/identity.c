// SPDX-License-Identifier: GPL-2.0-only
/* SO_PEERCRED: some calls record our credentials. For the duration of such a call, those of the socket's task are assumed. */
#include <errno.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "kinds/fd/unix/internal.h"
#include "util/log.h"

static bool is_other_identity(const struct unix_sock *sock, uid_t *ret_uid, gid_t *ret_gid)
{
	const struct restore_task *owner = sock->file->owner;
	const ThreadCoreEntry *core = owner && owner->core ? owner->core->thread_core : NULL;

	if (!core || !core->creds)
		return false;
	*ret_uid = core->creds->euid;
	*ret_gid = core->creds->egid;
	return *ret_uid != geteuid() || *ret_gid != getegid();
}

/* What a change of ids resets. */
static int read_self(struct unix_self *ret_self)
{
	struct unix_self self = { .changed = true, .euid = geteuid(), .egid = getegid() };
	int err = caps_read(&self.caps);

	if (err)
		return fail(err, "read our own capabilities");
	self.dumpable = prctl(PR_GET_DUMPABLE);
	prctl(PR_GET_PDEATHSIG, &self.death_signal);
	*ret_self = self;
	return 0;
}

int unix_become_owner(const struct unix_sock *sock, struct unix_self *ret_self)
{
	uid_t uid;
	gid_t gid;
	int err;

	*ret_self = (struct unix_self){ 0 };
	if (!is_other_identity(sock, &uid, &gid) || getuid())
		return 0;
	err = read_self(ret_self);
	if (err)
		return err;
	/* File access is unchanged (fsuid): only what SO_PEERCRED reports changes. */
	if (syscall(SYS_setresgid, -1, gid, -1) < 0 || syscall(SYS_setresuid, -1, uid, -1) < 0)
		return fail(-errno, "change to user %u and group %u for a unix socket", uid, gid);
	syscall(SYS_setfsuid, 0);
	syscall(SYS_setfsgid, 0);
	return 0;
}

/* The user first: only root may change the group. The effective capabilities became all that are permitted. */
void unix_become_self(const struct unix_self *self)
{
	if (!self->changed)
		return;
	if (syscall(SYS_setresuid, -1, self->euid, -1) < 0)
		log_warn("change back to user %u: %m", self->euid);
	if (syscall(SYS_setresgid, -1, self->egid, -1) < 0)
		log_warn("change back to group %u: %m", self->egid);
	if (caps_set(&self->caps) < 0)
		log_warn("restore our own capabilities: %m");
	prctl(PR_SET_DUMPABLE, self->dumpable == 1);
	prctl(PR_SET_PDEATHSIG, self->death_signal);
}
