// SPDX-License-Identifier: GPL-2.0-only
/* Dump and restore. A process serves one of them at most: it has no state of another run. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dump/dump.h"
#include "restore/restore.h"
#include "run/scripts.h"
#include "service/cgroup.h"
#include "service/prepare.h"
#include "service/requests.h"
#include "util/log.h"

static int dump_request(struct session *s, const CriuReq *req, unsigned int command, const char *name)
{
	int err;

	/* Its processes are where we are, then, as if it dumped them itself. */
	if (!s->own_process && !s->rights->ours)
		client_enter_cgroups(&s->client);
	err = client_rights_adopt(s->rights, true);
	if (err)
		return session_refuse(s, err, "assume the rights of user %u: %s", s->rights->uid, strerror(-err));
	return session_prepare(s, command, name, req->opts);
}

int serve_pre_dump(struct session *s, const CriuReq *req, struct answer *ret)
{
	int err = dump_request(s, req, CMD_PRE_DUMP, "pre-dump");

	return err ? err : dump_run(&s->request.opts);
}

int serve_dump(struct session *s, const CriuReq *req, struct answer *ret)
{
	int err = dump_request(s, req, CMD_DUMP, "dump");

	ret->resp.dump = &ret->dump;
	ret->dump.has_restored = true;
	ret->dump.restored = false;
	return err ? err : dump_run(&s->request.opts);
}

int serve_restore(struct session *s, const CriuReq *req, struct answer *ret)
{
	struct restore_result result = { 0 };
	int err = session_prepare_as_client(s, CMD_RESTORE, "restore", req->opts);

	if (!err && !s->own_process)
		client_enter_cgroups(&s->client);
	if (!err)
		err = restore_run(&s->request.opts, &result);
	ret->resp.restore = &ret->restore;
	s->root = result.root_pid;
	ret->restore.pid = result.root_pid ? result.root_pid : -1;
	return err;
}

/* The command gets the log as its output, and no descriptor of ours. */
static int become(struct session *s)
{
	const struct options *opts = &s->request.opts;
	int err = client_rights_adopt(s->rights, false);
	int out = log_fd() >= 0 ? log_fd() : STDERR_FILENO;

	if (err) {
		fail(err, "exec_cmd: assume the rights of user %u for good; the tree runs without it", s->rights->uid);
		return EXIT_REQUEST_FAILED;
	}
	if (dup2(out, STDOUT_FILENO) < 0 || dup2(out, STDERR_FILENO) < 0) /* style: for the command */
		log_warn("exec_cmd: redirect its output to the log: %s", strerror(errno));
	if (scripts_set_root(s->root) < 0)
		log_warn("exec_cmd: out of memory for CRTOOLS_INIT_PID");
	execvp(opts->exec_cmd.v[0], opts->exec_cmd.v);
	log_error("exec_cmd: %s: %s; the tree runs without it", opts->exec_cmd.v[0], strerror(errno));
	return EXIT_REQUEST_FAILED;
}

int finish_restore(struct session *s)
{
	return s->request.opts.exec_cmd.n ? become(s) : EXIT_SERVED;
}
