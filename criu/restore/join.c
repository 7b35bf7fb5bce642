/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * --join-ns: the tree becomes part of namespaces that exist already. They take the place of those that its root was in: of its
 * own, the content of which is not restored then, or of the tool's.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "run/untrusted.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

/* NS_TYPES: unknown */
static enum ns_type type_of(const char *name, size_t len)
{
	enum ns_type type = 0;

	while (type < NS_TYPES && (strlen(ns_type_name(type)) != len || strncmp(ns_type_name(type), name, len)))
		type++;
	return type;
}

/* A number is a pid. */
static int open_given(enum ns_type type, const char *file)
{
	uint32_t pid;

	if (parse_u32(file, &pid))
		return open_at(AT_FDCWD, file, O_RDONLY, 0);
	return open_fmt(proc_root(), O_RDONLY | O_CLOEXEC, "%u/ns/%s", pid, ns_type_name(type));
}

static int join(struct restore *r, const char *given)
{
	const char *file = strchr(given, ':') + 1;
	const enum ns_type type = type_of(given, (size_t)(file - 1 - given));
	const struct run_kind *kind = type < NS_TYPES ? kind_of_namespaces(type) : NULL;
	struct ns *ns = kind ? restore_task_of(r->plan.tree.root)->ns[type] : NULL;
	_cleanup_close_ int fd = -1;

	if (type == NS_TYPES)
		return fail(-EINVAL, "--join-ns %s: unknown type of namespaces", given);
	if (!kind || !kind->can_join)
		return fail(-EOPNOTSUPP, "--join-ns %s: joining %s namespaces is not implemented", given,
			    ns_type_name(type));
	if (!ns)
		return fail(-EBADMSG, "--join-ns %s: the root of the tree had no such namespace", given);
	if (ns->joined)
		return fail(-EINVAL, "--join-ns %s: there is another one of that type", given);
	if (rights_need(&r->tool.rights, RIGHT_NAMESPACES, "--join-ns %s", given))
		return -EPERM;
	fd = open_given(type, file);
	if (fd < 0)
		return fail(fd, "--join-ns %s: open it", given);
	if (ioctl(fd, NS_GET_NSTYPE) != (int)ns_type_flag(type))
		return fail(-EINVAL, "--join-ns %s: that is not a namespace of type %s", given, ns_type_name(type));
	ns->fd = steal_fd(&fd);
	ns->joined = true;
	ns->own = false;
	return 0;
}

int restore_join_namespaces(struct restore *r)
{
	int err = r->opts->join_ns.n ? untrusted_refuse(r, "--join-ns") : 0;

	for (size_t i = 0; !err && i < r->opts->join_ns.n; i++)
		err = join(r, r->opts->join_ns.v[i]);
	return err;
}
