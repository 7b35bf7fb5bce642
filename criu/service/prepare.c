// SPDX-License-Identifier: GPL-2.0-only
/* From the fields of a client to a valid request. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "request/config.h"
#include "request/open.h"
#include "request/rpc.h"
#include "request/validate.h"
#include "service/prepare.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

static void keep_reason(void *arg, const char *line)
{
	session_refuse(arg, 0, "%s", line);
}

static const char *fd_error(int err)
{
	return err == -ESRCH ? "the client has ended, or is in another pid namespace; use a path" : strerror(-err);
}

static int open_dir_field(struct session *s, const char *field, int number, int *ret_fd)
{
	int fd = client_open_dir(&s->client, number);

	if (fd < 0)
		return session_refuse(s, -EINVAL, "%s: open the client's descriptor %d: %s", field, number,
				      fd_error(fd));
	*ret_fd = fd;
	return 0;
}

/* Whatever it is for: a wrong number is the client's mistake. */
static int open_status(struct session *s, CriuOpts *rpc)
{
	if (!rpc->has_status_fd || rpc->status_fd < 0)
		return 0;
	s->status_fd = client_open_output(&s->client, rpc->status_fd);
	if (s->status_fd < 0)
		return session_refuse(s, -EINVAL, "status_fd: open the client's descriptor %d: %s", rpc->status_fd,
				      fd_error(s->status_fd));
	rpc->status_fd = s->status_fd;
	return 0;
}

/*
 * A socket in which pidfds could wait for the next iteration. It is not needed: a process is compared with that of the previous images by its
 * start time, and by the userfaultfd in its memory (memory/tracker.h). A wrong one is a mistake all the same; one that cannot be looked at
 * (the client is in another pid namespace, or another user's, or the kernel is too old) is no harm.
 */
static int check_pidfd_store(struct session *s, const CriuOpts *rpc)
{
	_cleanup_close_ int sock = -1;
	int domain = 0, type = 0;
	socklen_t len = sizeof(int);

	if (!rpc->has_pidfd_store_sk || !(s->request.command & (CMD_DUMP | CMD_PRE_DUMP)))
		return 0;
	sock = client_get_fd(&s->client, rpc->pidfd_store_sk);
	if (sock < 0 && sock != -EBADF) {
		log_debug("pidfd_store_sk: the client's descriptor %d cannot be looked at: %s", rpc->pidfd_store_sk,
			  strerror(-sock));
		return 0;
	}
	if (sock < 0)
		return session_refuse(s, -EINVAL, "pidfd_store_sk: open the client's descriptor %d: %s",
				      rpc->pidfd_store_sk, fd_error(sock));
	if (getsockopt(sock, SOL_SOCKET, SO_DOMAIN, &domain, &len) ||
	    getsockopt(sock, SOL_SOCKET, SO_TYPE, &type, &len) || domain != AF_UNIX || type != SOCK_DGRAM)
		return session_refuse(s, -EINVAL,
				      "pidfd_store_sk: the client's descriptor %d is no UNIX datagram socket",
				      rpc->pidfd_store_sk);
	return 0;
}

/* Replaces the client's descriptors by ours. */
static int open_fields(struct session *s, CriuOpts *rpc)
{
	int err = check_pidfd_store(s, rpc);

	if (!err)
		err = open_status(s, rpc);
	if (err)
		return err;
	if (rpc->images_dir_fd >= 0)
		err = open_dir_field(s, "images_dir_fd", rpc->images_dir_fd, &rpc->images_dir_fd);
	if (err || !rpc->has_work_dir_fd || rpc->work_dir_fd < 0)
		return err;
	err = open_dir_field(s, "work_dir_fd", rpc->work_dir_fd, &rpc->work_dir_fd);
	if (err)
		cleanup_close(&rpc->images_dir_fd);
	return err;
}

/* For messages, and for scripts. */
static int name_images_dir(struct options *opts)
{
	char path[PATH_MAX];
	char *copy;

	if (opts->images_dir_fd < 0 || proc_fd_read_link(opts->images_dir_fd, path, sizeof(path)) < 0)
		return 0;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(opts->images_dir);
	opts->images_dir = copy;
	return 0;
}

static int take_fields(struct session *s, const CriuOpts *rpc)
{
	struct request *req = &s->request;
	CriuOpts own = *rpc;
	int err = open_fields(s, &own);

	if (!err)
		err = request_from_rpc(req, &own);
	if (!err)
		err = name_images_dir(&req->opts);
	return err;
}

static int add_notifier(struct session *s, const CriuOpts *rpc)
{
	if (!rpc->has_notify_scripts || !rpc->notify_scripts)
		return 0;
	notifier_init(&s->notifier, &s->client, &s->request);
	return notify_add(&s->request.opts, &s->notifier.outlet);
}

/* Numbers of our own table, and our parent, mean something to who has started us. */
static int refuse_inherited(struct session *s, const CriuOpts *rpc)
{
	const bool serves = s->request.command == CMD_PAGE_SERVER;
	const char *field = rpc->n_inherit_fd		 ? "inherit_fd" :
			    rpc->has_rst_sibling	 ? "rst_sibling" :
			    rpc->ps && rpc->ps->has_fd	 ? "ps.fd" :
			    serves && rpc->has_status_fd ? "status_fd" :
							   NULL;

	if (s->own_process || !field)
		return 0;
	return session_refuse(s, -EINVAL, "%s is only possible with criu swrk", field);
}

/* After its config file, which has no say in this. */
static int restrict_to_client(struct session *s)
{
	struct options *opts = &s->request.opts;

	if (!s->own_process && opts->inherit_nr)
		return session_refuse(s, -EINVAL, "inherit-fd is only possible with criu swrk");
	/* Those of a configuration file are numbers of ours, or make the tree our parent's. */
	if (!s->own_process && opts->ps_socket >= 0)
		return session_refuse(s, -EINVAL, "ps-socket is only possible with criu swrk");
	if (!s->own_process && opts->restore_sibling)
		return session_refuse(s, -EINVAL, "restore-sibling is only possible with criu swrk");
	if (!s->own_process && opts->status_fd >= 0 && opts->status_fd != s->status_fd)
		return session_refuse(s, -EINVAL, "status-fd in a configuration file is only possible with criu swrk");
	if (s->rights->ours)
		return 0;
	if (opts->freeze_cgroup)
		return session_refuse(s, -EPERM,
				      "freeze_cgroup is not implemented for clients without the rights of the service");
	opts->has_images_user = opts->user_is_caller = s->request.command == CMD_RESTORE;
	opts->images_user = s->rights->uid;
	opts->images_gid = s->rights->gid;
	opts->images_groups = s->rights->groups;
	opts->nr_images_groups = s->rights->nr_groups;
	return 0;
}

/*
 * A dump of the client, as the root of the tree or part of it: its connection to us is restored without us. Without a pid
 * the client itself is meant.
 */
static int take_client(struct session *s, const CriuOpts *rpc)
{
	struct options *opts = &s->request.opts;
	struct stat st;

	if (!(s->request.command & (CMD_DUMP | CMD_PRE_DUMP)))
		return 0;
	if (fstat(s->client.sock, &st) < 0)
		return session_refuse(s, -errno, "the client's connection: %s", strerror(errno));
	opts->service_inode = (uint32_t)st.st_ino;
	if (rpc->has_pid)
		return 0;
	if (s->client.pidfd < 0)
		return session_refuse(s, -ESRCH,
				      "pid is required: the client has ended, or is in another pid namespace");
	opts->pid = s->client.pid;
	return 0;
}

static int prepare(struct session *s, const CriuOpts *rpc)
{
	struct request *req = &s->request;
	int err = s->base ? s->base->fill(req, s->base->arg) : 0;

	if (!err)
		err = refuse_inherited(s, rpc);
	if (!err)
		err = take_fields(s, rpc);
	req->opts.orphan_pts_master = rpc->has_orphan_pts_master && rpc->orphan_pts_master;
	if (!err && rpc->config_file)
		err = config_load_last(req, rpc->config_file);
	if (!err)
		err = take_client(s, rpc);
	if (!err && req->opts.stream == STREAM_BY_STDIO)
		err = session_refuse(s, -EINVAL, "stream: - is only possible on the command line");
	if (!err)
		err = add_notifier(s, rpc);
	if (!err)
		err = restrict_to_client(s);
	return err ? err : request_validate(req);
}

/* The log is where the client looks for the reason. */
static void log_refusal(struct session *s)
{
	if (request_open(&s->request) == 0)
		log_error("%s", s->reason);
}

/* Paths of the request that are opened later are relative to the work directory, which scripts and commands start in. */
static int enter_work_dir(struct session *s)
{
	if (!(s->request.command & CMD_BOTH) || fchdir(s->request.opts.work_dir_fd) == 0)
		return 0;
	return session_refuse(s, -errno, "change to the work directory: %s", strerror(errno));
}

int session_prepare(struct session *s, unsigned int command, const char *name, const CriuOpts *rpc)
{
	int err;

	if (!rpc)
		return session_refuse(s, -EINVAL, "opts are required");
	err = request_init(&s->request, keep_reason, s);
	if (err)
		return err;
	s->has_request = true;
	s->status_fd = -1;
	s->request.command = command;
	s->request.name = name;
	/* No warnings: a response has one reason, that of a failure. */
	s->request.again = true;
	err = prepare(s, rpc);
	if (err)
		log_refusal(s);
	if (!err)
		err = request_open(&s->request);
	return err ? err : enter_work_dir(s);
}

int session_prepare_as_client(struct session *s, unsigned int command, const char *name, const CriuOpts *rpc)
{
	int err = client_rights_assume(s->rights), back;

	if (err)
		return session_refuse(s, err, "assume the rights of user %u: %s", s->rights->uid, strerror(-err));
	err = session_prepare(s, command, name, rpc);
	back = client_rights_resume(s->rights);
	return back ? session_refuse(s, back, "resume our own rights: %s", strerror(-back)) : err;
}

void session_release(struct session *s)
{
	if (!s->has_request)
		return;
	cleanup_close(&s->status_fd);
	request_close(&s->request);
	request_free(&s->request);
	s->has_request = false;
}
