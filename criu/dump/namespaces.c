/* SPDX-License-Identifier: GPL-2.0-only */
/* Contents of the tree's namespaces that are not the tool's own: their kinds save them, each in its namespace. */
#include <errno.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "dump/dump.h"
#include "kernel/ns_run.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"

struct saving {
	struct dump *dump;
	const struct run_kind *kind;
	struct ns *ns;
};

static int save(void *arg)
{
	const struct saving *s = arg;

	return s->kind->save_namespace(s->dump, s->ns);
}

static int save_inside(struct dump *dump, const struct run_kind *kind, struct ns *ns)
{
	struct saving saving = { dump, kind, ns };
	const struct dump_task *member = dump_task_of(ns->member);
	_cleanup_close_ int fd = open_fmt(member->proc.dir, O_RDONLY | O_CLOEXEC, "ns/%s", ns_type_name(ns->type));
	const struct id_map uids = dump->uid_map, gids = dump->gid_map;
	const struct ns *creator = dump_creator_of(dump, ns);
	int result = 0, err;

	if (creator && creator->uids) {
		dump->uid_map = *creator->uids;
		dump->gid_map = *creator->gids;
	}
	err = fd < 0 ? fd : ns_run_in(&fd, 1, save, &saving, &result);
	dump->uid_map = uids;
	dump->gid_map = gids;

	/* During a check the tree runs: a process that has exited is no failure. */
	if (dump_is_check(dump) && (err == -ESRCH || err == -ENOENT))
		return 0;
	return err ? fail(err, "enter the %s namespace of process %d", ns_type_name(ns->type), member->t.host_pid) :
		     result;
}

int dump_save_namespaces(struct dump *dump)
{
	int err = 0;

	for (struct ns *ns = dump->namespaces.first; !err && ns; ns = ns->next) {
		/* One that no process is in is known by its sockets, which are blockers. */
		const struct run_kind *kind = ns->own || !ns->member ? NULL : kind_of_namespaces(ns->type);

		dump->asked.kind = kind ? kind->name : NULL;
		err = kind && kind->save_namespace ? save_inside(dump, kind, ns) : 0;
	}
	return err;
}
