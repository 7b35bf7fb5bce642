// SPDX-License-Identifier: GPL-2.0-only
#include "service/rights.h"
#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "run/caps.h"
#include "service/client.h"
#include "util/fds.h"
#include "util/proc_root.h"
#include "util/str.h"

/* Of headers newer than ours. */
#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

/* Lines of /proc/PID/status. */
struct confinement {
	uint64_t effective, bounding, no_new_privs, seccomp;
};

/* Numbers below 10 are the same in all bases. */
static bool take_line(const char *text, const char *name, uint64_t *ret)
{
	const char *line = strstr(text, name);

	return line && sscanf(line + strlen(name), "%" SCNx64, ret) == 1;
}

static int read_confinement(const struct client *client, struct confinement *ret)
{
	_cleanup_buf_ struct buf text = { 0 };
	char path[32];
	int err;

	snprintf(path, sizeof(path), "%d/status", client->pid);
	err = read_file(proc_root(), path, &text);
	if (err)
		return err;
	return take_line(text.data, "\nCapEff:", &ret->effective) &&
			       take_line(text.data, "\nCapBnd:", &ret->bounding) &&
			       take_line(text.data, "\nNoNewPrivs:", &ret->no_new_privs) &&
			       take_line(text.data, "\nSeccomp:", &ret->seccomp) ?
		       0 :
		       -EBADMSG;
}

static bool same_inode(const struct client *client, const char *what)
{
	struct stat theirs, ours;
	char path[64];

	snprintf(path, sizeof(path), "%d/%s", client->pid, what);
	if (fstatat(proc_root(), path, &theirs, 0) < 0)
		return false;
	snprintf(path, sizeof(path), "self/%s", what);
	return fstatat(proc_root(), path, &ours, 0) == 0 && theirs.st_dev == ours.st_dev &&
	       theirs.st_ino == ours.st_ino;
}

static bool differs(const struct client *client, const char *const *places)
{
	for (; *places; places++)
		if (!same_inode(client, *places))
			return true;
	return false;
}

/* Paths, pids and ids of the request are ours only if the client sees what we see. */
static bool is_elsewhere(const struct client *client)
{
	static const char *const places[] = { "root", "ns/mnt", "ns/pid", "ns/user", NULL };

	return differs(client, places);
}

/* What it has us execute would be outside of these. Kernels may lack some: then neither has one. */
static bool is_confined(const struct client *client)
{
	static const char *const places[] = { "ns/net", "ns/ipc", "ns/uts", "ns/cgroup", NULL };

	return differs(client, places);
}

static int read_groups(const struct client *client, struct client_rights *ret)
{
	socklen_t len = 0;

	if (getsockopt(client->sock, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) < 0 && errno != ERANGE)
		return -errno;
	ret->groups = malloc(len + 1);
	if (!ret->groups)
		return -ENOMEM;
	if (len && getsockopt(client->sock, SOL_SOCKET, SO_PEERGROUPS, ret->groups, &len) < 0)
		return -errno;
	ret->nr_groups = len / sizeof(gid_t);
	return 0;
}

static int read_ids(const struct client *client, struct client_rights *ret)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (getsockopt(client->sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	ret->uid = peer.uid;
	ret->gid = peer.gid;
	return read_groups(client, ret);
}

/* Those of another program that it executes meanwhile could be higher, but not above the bounding set. */
static bool has_ours(const struct client_rights *rights, const struct confinement *its)
{
	struct caps own;

	return rights->uid == geteuid() && !caps_read(&own) && !(own.permitted & ~its->effective) &&
	       !(own.permitted & ~its->bounding);
}

static int judge(const struct client *client, struct client_rights *rights, const char **ret_why)
{
	struct confinement its;
	int err = read_confinement(client, &its);

	if (err || is_elsewhere(client) || sys_pidfd_send_signal(client->pidfd, 0) == -ESRCH) {
		*ret_why =
			"the client has ended, or is in another root directory, mount, pid or user namespace than the service";
		return -EPERM;
	}
	rights->ours = has_ours(rights, &its);
	if (rights->ours)
		return 0;
	if (rights->uid == geteuid() || geteuid() != 0) {
		*ret_why = "the client has not all rights of the service, which cannot give up a part of them";
		return -EPERM;
	}
	if (rights->uid == 0 || its.no_new_privs || its.seccomp) {
		*ret_why = "the client is in a sandbox (no_new_privs, seccomp), which its request would leave";
		return -EPERM;
	}
	if (is_confined(client)) {
		*ret_why = "the client is in another network, IPC, UTS or cgroup namespace than the service";
		return -EPERM;
	}
	return 0;
}

int client_rights_read(const struct client *client, struct client_rights *ret, const char **ret_why)
{
	int err;

	*ret = (struct client_rights){ .ours = false };
	*ret_why = "the credentials of the client cannot be read";
	if (client->pidfd < 0)
		return -ESRCH;
	err = read_ids(client, ret);
	return err ? err : judge(client, ret, ret_why);
}

/* The raw calls: those of libc apply to all threads, of which there is one, and take locks. */
int client_rights_assume(const struct client_rights *rights)
{
	if (rights->ours)
		return 0;
	if (syscall(SYS_setgroups, rights->nr_groups, rights->groups) < 0 ||
	    syscall(SYS_setresgid, -1, rights->gid, -1) < 0 || syscall(SYS_setresuid, -1, rights->uid, -1) < 0)
		return -errno;
	return 0;
}

/* The effective capabilities come back with the effective uid. */
int client_rights_resume(const struct client_rights *rights)
{
	if (rights->ours)
		return 0;
	if (syscall(SYS_setresuid, -1, 0, -1) < 0 || syscall(SYS_setresgid, -1, getgid(), -1) < 0)
		return -errno;
	return 0;
}

int client_rights_adopt(const struct client_rights *rights, bool to_dump)
{
	const uint64_t kept = to_dump ? BIT(CAP_CHECKPOINT_RESTORE) : 0;
	const struct caps caps = { .effective = kept, .permitted = kept };
	uid_t uid[3];
	int err;

	if (rights->ours)
		return 0;
	err = caps_clear_ambient();
	if (err)
		return err;
	if (prctl(PR_SET_KEEPCAPS, 1) < 0)
		return -errno;
	/* After a restore as that user the ids are the same already. */
	if (getuid() == 0 && syscall(SYS_setgroups, rights->nr_groups, rights->groups) < 0)
		return -errno;
	if (syscall(SYS_setresgid, rights->gid, rights->gid, rights->gid) < 0 ||
	    syscall(SYS_setresuid, rights->uid, rights->uid, rights->uid) < 0)
		return -errno;
	err = caps_set(&caps);
	if (err)
		return err;
	/* The client may not trace us, as it lacks the capability; our own files in /proc are ours again. */
	if (prctl(PR_SET_KEEPCAPS, 0) < 0 || prctl(PR_SET_DUMPABLE, 1) < 0)
		return -errno;
	getresuid(&uid[0], &uid[1], &uid[2]);
	return uid[0] != rights->uid || uid[1] != rights->uid || uid[2] != rights->uid ? -EPERM : 0;
}

/* prlimit(2) of a process of another user takes CAP_SYS_RESOURCE; this file does not. Its lines are in the order of numbers. */
#define LIMITS_HARD_COLUMN 47

static int lower_limit(int resource, const char *line)
{
	struct rlimit ours;
	uint64_t theirs;
	char hard[32];

	if (strlen(line) <= LIMITS_HARD_COLUMN || sscanf(line + LIMITS_HARD_COLUMN, "%31s", hard) != 1)
		return -EBADMSG;
	if (str_eq(hard, "unlimited"))
		return 0;
	if (parse_u64(hard, &theirs) < 0)
		return -EBADMSG;
	if (getrlimit((enum __rlimit_resource)resource, &ours) < 0)
		return -errno;
	if (ours.rlim_max <= theirs)
		return 0;
	ours.rlim_max = theirs;
	ours.rlim_cur = MIN_OF(ours.rlim_cur, ours.rlim_max);
	return setrlimit((enum __rlimit_resource)resource, &ours) < 0 ? -errno : 0;
}

int client_rights_limit(const struct client *client)
{
	_cleanup_buf_ struct buf text = { 0 };
	char path[32], *line;
	int err;

	snprintf(path, sizeof(path), "%d/limits", client->pid);
	err = read_file(proc_root(), path, &text);
	line = err ? NULL : text.data;
	for (int resource = 0; !err && resource < RLIM_NLIMITS; resource++) {
		line = strchr(line, '\n');
		err = line ? lower_limit(resource, ++line) : -EBADMSG;
	}
	return err ? err : sys_pidfd_send_signal(client->pidfd, 0) == -ESRCH ? -ESRCH : 0;
}
