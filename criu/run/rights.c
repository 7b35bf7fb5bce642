// SPDX-License-Identifier: GPL-2.0-only
#include "run/rights.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* Inode of the initial user namespace: PROC_USER_INIT_INO, the same on every kernel. */
#define INITIAL_USER_NS 0xEFFFFFFDu

enum { WHAT_MAX = 512 };

/* The user namespace in which a capability is needed. */
enum scope {
	OWN, /* ours: then it is effective in all below, too */
	PID_NS_OWNER, /* the one that owns our pid namespace */
	NET_NS_OWNER, /* the one that owns our network namespace */
	INITIAL, /* capable() in the kernel: only the initial one */
};

static const struct right_info {
	const char *name;
	uint64_t all; /* all of these are needed */
	uint64_t any; /* and one of these; 0: none */
	enum scope scope;
	const char *text;
} infos[RIGHTS] = {
	[RIGHT_PTRACE_ANY] = { "trace any task", BIT(CAP_SYS_PTRACE), 0, OWN, "needs CAP_SYS_PTRACE" },
	[RIGHT_SET_PIDS] = { "set the pids of tasks", 0, BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_SYS_ADMIN), PID_NS_OWNER,
			     "needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in the user namespace that owns the pid "
			     "namespace" },
	[RIGHT_CHANGE_IDS] = { "change user and group ids", BIT(CAP_SETUID) | BIT(CAP_SETGID), 0, OWN,
			       "needs CAP_SETUID and CAP_SETGID" },
	[RIGHT_SET_SECUREBITS] = { "set securebits", BIT(CAP_SETPCAP), 0, OWN, "needs CAP_SETPCAP" },
	[RIGHT_NET_ADMIN] = { "repair TCP connections and lock the network", BIT(CAP_NET_ADMIN), 0, NET_NS_OWNER,
			      "needs CAP_NET_ADMIN in the user namespace that owns the network namespace" },
	[RIGHT_RAW_SOCKETS] = { "create raw and packet sockets", BIT(CAP_NET_RAW), 0, NET_NS_OWNER,
				"needs CAP_NET_RAW in the user namespace that owns the network namespace" },
	[RIGHT_RAISE_LIMITS] = { "raise hard limits", BIT(CAP_SYS_RESOURCE), 0, INITIAL,
				 "needs CAP_SYS_RESOURCE in the initial user namespace" },
	/* CAP_SYS_ADMIN includes CAP_BPF and CAP_PERFMON. */
	[RIGHT_READ_KERNEL_MEMORY] = { "read kernel memory", BIT(CAP_SYS_ADMIN), 0, INITIAL,
				       "needs CAP_SYS_ADMIN in the initial user namespace" },
	[RIGHT_READ_FILTERS] = { "read seccomp filters", BIT(CAP_SYS_ADMIN), 0, INITIAL,
				 "needs CAP_SYS_ADMIN in the initial user namespace" },
	[RIGHT_MAP_FILES] = { "open mapped files", 0, BIT(CAP_CHECKPOINT_RESTORE) | BIT(CAP_SYS_ADMIN), INITIAL,
			      "needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN in the initial user namespace" },
	[RIGHT_NAMESPACES] = { "create and enter namespaces", BIT(CAP_SYS_ADMIN), 0, OWN, "needs CAP_SYS_ADMIN" },
	[RIGHT_CHANGE_ROOT] = { "change the root directory", BIT(CAP_SYS_CHROOT), 0, OWN, "needs CAP_SYS_CHROOT" },
	[RIGHT_ALARM_CLOCKS] = { "use alarm clocks", BIT(CAP_WAKE_ALARM), 0, INITIAL,
				 "needs CAP_WAKE_ALARM in the initial user namespace" },
	[RIGHT_HANG_UP] = { "hang up terminals", BIT(CAP_SYS_ADMIN), 0, INITIAL,
			    "needs CAP_SYS_ADMIN in the initial user namespace" },
	[RIGHT_LEASES] = { "take leases on files of other users", BIT(CAP_LEASE), 0, INITIAL,
			   "needs CAP_LEASE in the initial user namespace" },
	[RIGHT_SCHEDULE] = { "set real-time priorities and lower nice values", BIT(CAP_SYS_NICE), 0, INITIAL,
			     "needs CAP_SYS_NICE in the initial user namespace" },
	[RIGHT_LOW_PORTS] = { "bind sockets to low ports", BIT(CAP_NET_BIND_SERVICE), 0, NET_NS_OWNER,
			      "needs CAP_NET_BIND_SERVICE in the user namespace that owns the network namespace" },
};

/* 0: a kernel without user namespaces, which has no such file, and only the initial one. */
static int read_user_ns(ino_t *ret)
{
	struct stat st;

	if (!fstatat(proc_root(), "self/ns/user", &st, 0))
		*ret = st.st_ino;
	else if (errno == ENOENT)
		*ret = 0;
	else
		return fail(-errno, "stat our own user namespace");
	return 0;
}

/*
 * If its owner is neither our user namespace nor below it, it is not reported: EPERM, ioctl_nsfs(2). If the file does not
 * exist, it is a pid namespace that we have unshared, and that has no process yet.
 */
static bool owns(const char *ns)
{
	_cleanup_close_ int fd = open_fmt(proc_root(), O_RDONLY | O_CLOEXEC, "self/ns/%s", ns);
	_cleanup_close_ int owner = fd < 0 ? -1 : ioctl(fd, NS_GET_USERNS);

	return owner >= 0 || fd == -ENOENT;
}

int rights_probe(struct rights *ret)
{
	ino_t user = 0;
	int err = caps_read(&ret->caps);

	if (err)
		return fail(err, "read our own capabilities");
	err = read_user_ns(&user);
	if (err)
		return err;
	ret->initial_user_ns = !user || user == INITIAL_USER_NS;
	ret->owns_pid_ns = ret->initial_user_ns || owns("pid_for_children");
	ret->owns_net_ns = ret->initial_user_ns || owns("net");
	return 0;
}

struct rights rights_in_user_ns(bool owns_pid_ns, bool owns_net_ns)
{
	uint64_t all = BIT(caps_last() + 1) - 1;

	return (struct rights){ .caps = { .effective = all, .permitted = all },
				.owns_pid_ns = owns_pid_ns,
				.owns_net_ns = owns_net_ns };
}

static bool holds_there(const struct rights *rights, enum scope scope)
{
	return scope == OWN || rights->initial_user_ns || (scope == PID_NS_OWNER && rights->owns_pid_ns) ||
	       (scope == NET_NS_OWNER && rights->owns_net_ns);
}

bool rights_may(const struct rights *rights, enum right right)
{
	const struct right_info *info = &infos[right];
	uint64_t has = rights->caps.effective;

	if ((info->all & ~has) || (info->any && !(info->any & has)))
		return false;
	return holds_there(rights, info->scope);
}

int rights_need(const struct rights *rights, enum right right, const char *what, ...)
{
	char text[WHAT_MAX];
	va_list args;

	if (rights_may(rights, right))
		return 0;
	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	return fail(-EPERM, "%s: %s: run criu as root", text, infos[right].text);
}

int rights_need_all(const struct rights *rights, uint64_t mask, const char *what)
{
	int err = 0;

	for (enum right right = 0; !err && right < RIGHTS; right++)
		if (mask & BIT(right))
			err = rights_need(rights, right, "%s", what);
	return err;
}

const char *rights_name(enum right right)
{
	return infos[right].name;
}

const char *rights_text(enum right right)
{
	return infos[right].text;
}

const char *rights_reason(const struct rights *rights, enum right right, int err)
{
	return rights_may(rights, right) ? strerror(-err) : infos[right].text;
}
