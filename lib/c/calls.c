// SPDX-License-Identifier: LGPL-2.1-only
/* The calls: a request, notifications, an answer. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "internal.h"

#pragma GCC visibility push(default)
const char *criu_lib_version = CRIU_VERSION;
#pragma GCC visibility pop

/*
 * The terminal that the last notification orphan-pts-master brought: that of this thread, if it has called libcriu, since
 * several can at the same time, else of any.
 */
static _Thread_local int orphan_of_thread = -1;
static atomic_int orphan_of_any = -1;

int criu_get_orphan_pts_master_fd(void)
{
	return orphan_of_thread >= 0 ? orphan_of_thread : atomic_load(&orphan_of_any);
}

int criu_notify_pid(criu_notify_arg_t na)
{
	return na && na->has_pid ? na->pid : 0;
}

static void free_resp(CriuResp **resp)
{
	int saved = errno;

	if (*resp)
		criu_resp__free_unpacked(*resp, NULL);
	errno = saved;
}

#define _cleanup_resp_ __attribute__((cleanup(free_resp)))
#define _cleanup_connection_ __attribute__((cleanup(connection_close)))

static int acknowledge(int fd, bool success)
{
	CriuReq req = CRIU_REQ__INIT;

	req.type = CRIU_REQ_TYPE__NOTIFY;
	req.has_notify_success = true;
	req.notify_success = success;
	return message_send(fd, &req);
}

/* Takes the descriptor. */
static int notify(const criu_opts *opts, int fd, CriuResp *resp, int passed)
{
	bool orphan = resp->notify && resp->notify->script && !strcmp(resp->notify->script, "orphan-pts-master");
	int refused = 0, err;

	if (passed >= 0 && orphan) {
		orphan_of_thread = passed;
		atomic_store(&orphan_of_any, passed);
	} else if (passed >= 0) {
		close(passed);
	}
	if (opts->notify && resp->notify)
		refused = opts->notify(resp->notify->script, resp->notify);
	err = acknowledge(fd, !refused);
	return refused ? refused : err;
}

static int result_of(const CriuResp *resp, CriuReqType type)
{
	if (resp->type != type)
		return resp->type == CRIU_REQ_TYPE__EMPTY ? -EINVAL : -EBADMSG;
	if (resp->success)
		return 0;
	errno = resp->has_cr_errno ? resp->cr_errno : 0;
	return -EBADE;
}

/* A request on an open connection, until it is answered. */
static int ask(const criu_opts *opts, int fd, const CriuReq *req, CriuResp **ret_resp)
{
	int err = message_send(fd, req);

	while (!err) {
		_cleanup_resp_ CriuResp *resp = NULL;
		int passed;

		err = message_receive(fd, &resp, &passed);
		if (err)
			return err;
		if (resp->type == CRIU_REQ_TYPE__NOTIFY) {
			err = notify(opts, fd, resp, passed);
			continue;
		}
		if (passed >= 0)
			close(passed);
		err = result_of(resp, req->type);
		if (err)
			return err;
		*ret_resp = resp;
		resp = NULL;
		return 0;
	}
	return err;
}

/* A request on a connection of its own. */
static int call(criu_opts *opts, const CriuReq *req, bool detached, CriuResp **ret_resp)
{
	_cleanup_connection_ struct connection connection = { .fd = -1 };
	int err;

	if (!opts)
		return -EINVAL;
	orphan_of_thread = -1;
	err = connection_open(opts, detached, &connection);
	return err ? err : ask(opts, connection.fd, req, ret_resp);
}

static int simple_call(criu_opts *opts, CriuReqType type, bool with_opts)
{
	_cleanup_resp_ CriuResp *resp = NULL;
	CriuReq req = CRIU_REQ__INIT;

	if (!opts)
		return -EINVAL;
	req.type = type;
	req.opts = with_opts ? opts->rpc : NULL;
	return call(opts, &req, false, &resp);
}

int criu_local_check(criu_opts *opts)
{
	return simple_call(opts, CRIU_REQ_TYPE__CHECK, false);
}

int criu_local_pre_dump(criu_opts *opts)
{
	return simple_call(opts, CRIU_REQ_TYPE__SINGLE_PRE_DUMP, true);
}

int criu_local_dump(criu_opts *opts)
{
	_cleanup_resp_ CriuResp *resp = NULL;
	CriuReq req = CRIU_REQ__INIT;
	int err;

	if (!opts)
		return -EINVAL;
	req.type = CRIU_REQ_TYPE__DUMP;
	req.opts = opts->rpc;
	err = call(opts, &req, !opts->rpc->has_pid || opts->rpc->pid == getpid(), &resp);
	return err ? err : resp->dump && resp->dump->has_restored && resp->dump->restored;
}

/* All on one connection: criu keeps what it knows of the tree between them. */
int criu_local_dump_iters(criu_opts *opts, int (*more)(criu_predump_info pi))
{
	_cleanup_connection_ struct connection connection = { .fd = -1 };
	CriuReq req = CRIU_REQ__INIT;
	int ret = 1;

	if (!opts || !opts->rpc->has_pid || !more)
		return -EINVAL;
	orphan_of_thread = -1;
	ret = connection_open(opts, false, &connection);
	if (ret)
		return ret;
	req.opts = opts->rpc;
	req.type = CRIU_REQ_TYPE__PRE_DUMP;
	for (;;) {
		_cleanup_resp_ CriuResp *resp = NULL;

		ret = ask(opts, connection.fd, &req, &resp);
		if (ret || req.type == CRIU_REQ_TYPE__DUMP)
			return ret;
		ret = more(NULL);
		if (ret < 0)
			return ret;
		if (ret == 0)
			req.type = CRIU_REQ_TYPE__DUMP;
	}
}

int criu_local_restore(criu_opts *opts)
{
	_cleanup_resp_ CriuResp *resp = NULL;
	CriuReq req = CRIU_REQ__INIT;
	int err;

	if (!opts)
		return -EINVAL;
	req.type = CRIU_REQ_TYPE__RESTORE;
	req.opts = opts->rpc;
	err = call(opts, &req, false, &resp);
	if (err)
		return err;
	return resp->restore ? resp->restore->pid : -EBADMSG;
}

/* Only a program that we start can make a child of ours: it creates a sibling of its own. */
int criu_local_restore_child(criu_opts *opts)
{
	struct criu_opts child;
	CriuOpts rpc;

	if (!opts)
		return -EINVAL;
	rpc = *opts->rpc;
	rpc.has_rst_sibling = true;
	rpc.rst_sibling = true;
	child = *opts;
	child.rpc = &rpc;
	if (opts->comm != CRIU_COMM_BIN) {
		child.comm = CRIU_COMM_BIN;
		child.path = NULL;
	}
	return criu_local_restore(&child);
}

int criu_local_get_version(criu_opts *opts)
{
	_cleanup_resp_ CriuResp *resp = NULL;
	CriuReq req = CRIU_REQ__INIT;
	int err, version;

	req.type = CRIU_REQ_TYPE__VERSION;
	err = call(opts, &req, false, &resp);
	if (err)
		return err;
	if (!resp->version)
		return -EBADMSG;
	version = resp->version->major_number * 10000 + resp->version->minor_number * 100;
	if (resp->version->gitid) /* between this minor version and the next */
		return version + 100;
	return version + (resp->version->has_sublevel ? resp->version->sublevel : 0);
}

int criu_local_check_version(criu_opts *opts, int minimum)
{
	int version = criu_local_get_version(opts);

	return version < 0 ? version : version >= minimum;
}

/* A program built with an earlier header has a shorter struct. */
int criu_local_feature_check(criu_opts *opts, struct criu_feature_check *features, size_t size)
{
	_cleanup_resp_ CriuResp *resp = NULL;
	struct criu_feature_check asked = { false };
	CriuFeatures wanted = CRIU_FEATURES__INIT;
	CriuReq req = CRIU_REQ__INIT;
	int err;

	if (!features || size > sizeof(asked))
		return -EINVAL;
	memcpy(&asked, features, size);
	wanted.has_mem_track = wanted.has_lazy_pages = wanted.has_pidfd_store = true;
	wanted.mem_track = asked.mem_track;
	wanted.lazy_pages = asked.lazy_pages;
	wanted.pidfd_store = asked.pidfd_store;
	req.type = CRIU_REQ_TYPE__FEATURE_CHECK;
	req.features = &wanted;
	err = call(opts, &req, false, &resp);
	if (err)
		return err;
	if (!resp->features)
		return -EBADMSG;
	asked.mem_track = resp->features->has_mem_track && resp->features->mem_track;
	asked.lazy_pages = resp->features->has_lazy_pages && resp->features->lazy_pages;
	asked.pidfd_store = resp->features->has_pidfd_store && resp->features->pidfd_store;
	memcpy(features, &asked, size);
	return 0;
}
