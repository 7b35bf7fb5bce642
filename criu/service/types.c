// SPDX-License-Identifier: GPL-2.0-only
/* The types of requests. */
#include <errno.h>
#include <sys/wait.h>

#include "base/bits.h"
#include "service/requests.h"

/* The level of CRIU's interface that is implemented. Clients take a git id for a later version. */
#define VERSION_MAJOR 4
#define VERSION_MINOR 2

static int serve_version(struct session *s, const CriuReq *req, struct answer *ret)
{
	ret->version.major_number = VERSION_MAJOR;
	ret->version.minor_number = VERSION_MINOR;
	ret->resp.version = &ret->version;
	return 0;
}

/* Children that it may wait for are those that earlier requests on this connection have started. */
static int serve_wait_pid(struct session *s, const CriuReq *req, struct answer *ret)
{
	int status;

	if (!req->has_pid || (pid_t)req->pid <= 0)
		return session_refuse(s, -EINVAL, "pid is required");
	while (waitpid((pid_t)req->pid, &status, 0) < 0)
		if (errno != EINTR)
			return session_refuse(s, -errno, "pid %u is not a child of this process", req->pid);
	ret->resp.has_status = true;
	ret->resp.status = status;
	return 0;
}

static const struct request_type types[] = {
	[CRIU_REQ_TYPE__DUMP] = { .name = "DUMP", .serve = serve_dump, .failed = EXIT_REQUEST_FAILED },
	[CRIU_REQ_TYPE__RESTORE] = { .name = "RESTORE",
				     .serve = serve_restore,
				     .finish = finish_restore,
				     .failed = EXIT_REQUEST_FAILED },
	[CRIU_REQ_TYPE__CHECK] = { .name = "CHECK", .serve = serve_check },
	[CRIU_REQ_TYPE__PRE_DUMP] = { .name = "PRE_DUMP",
				      .serve = serve_pre_dump,
				      .stays_open = true,
				      .failed = EXIT_REQUEST_FAILED },
	[CRIU_REQ_TYPE__SINGLE_PRE_DUMP] = { .name = "SINGLE_PRE_DUMP",
					     .serve = serve_pre_dump,
					     .failed = EXIT_REQUEST_FAILED },
	[CRIU_REQ_TYPE__PAGE_SERVER] = { .name = "PAGE_SERVER", .serve = serve_page_server, .may_keep_open = true },
	[CRIU_REQ_TYPE__PAGE_SERVER_CHLD] = { .name = "PAGE_SERVER_CHLD",
					      .serve = serve_page_server_child,
					      .may_keep_open = true },
	[CRIU_REQ_TYPE__CPUINFO_DUMP] = { .name = "CPUINFO_DUMP", .serve = serve_cpuinfo_dump, .may_keep_open = true },
	[CRIU_REQ_TYPE__CPUINFO_CHECK] = { .name = "CPUINFO_CHECK",
					   .serve = serve_cpuinfo_check,
					   .may_keep_open = true },
	[CRIU_REQ_TYPE__FEATURE_CHECK] = { .name = "FEATURE_CHECK",
					   .serve = serve_feature_check,
					   .for_everyone = true,
					   .may_keep_open = true },
	[CRIU_REQ_TYPE__VERSION] = { .name = "VERSION",
				     .serve = serve_version,
				     .for_everyone = true,
				     .may_keep_open = true },
	[CRIU_REQ_TYPE__WAIT_PID] = { .name = "WAIT_PID", .serve = serve_wait_pid },
};

const struct request_type *request_type_of(CriuReqType type)
{
	if ((unsigned int)type >= ARRAY_SIZE(types) || !types[type].name)
		return NULL;
	return &types[type];
}
