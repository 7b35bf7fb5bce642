// SPDX-License-Identifier: GPL-2.0-only
/* Page servers: each is a process of its own, which outlives the connection. */
#include "page_server/page_server.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/background.h"
#include "service/prepare.h"
#include "service/requests.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

/* What the process tells the one that answers the client. */
struct report {
	int err; /* it cannot serve, for this reason */
	char reason[REASON_SIZE];
	uint16_t port;
};

/* ---- in the process of the page server */

static void report_failure(struct session *s, int err, struct report *report)
{
	const char *text = s->reason[0] ? s->reason : log_first_error();

	report->err = err;
	str_format(report->reason, sizeof(report->reason), "%s", text ? text : strerror(-err));
}

static int begin(struct session *s, const CriuReq *req, struct report *report, struct page_server **ret)
{
	int err = client_rights_adopt(s->rights, false);

	if (err)
		return session_refuse(s, err, "assume the rights of user %u: %s", s->rights->uid, strerror(-err));
	err = session_prepare(s, CMD_PAGE_SERVER, "page-server", req->opts);
	return err ? err : page_server_begin(&s->request.opts, ret, &report->port);
}

static _Noreturn void run(struct session *s, const CriuReq *req, bool as_daemon, struct report *report, int ready)
{
	struct page_server *server = NULL;
	int err = begin(s, req, report, &server);

	prctl(PR_SET_NAME, "criu-page-serv");
	if (!err && as_daemon)
		err = setsid() < 0 ? fail(-errno, "setsid") : background_leave_standard();
	if (!err)
		err = page_server_ready(server, ready);
	if (err) {
		report_failure(s, err, report);
		page_server_free(server);
		_exit(EXIT_REQUEST_FAILED);
	}
	/* The client is to see the end of its connection. */
	close(ready);
	close(s->client.sock);
	_exit(page_server_serve(server) ? EXIT_REQUEST_FAILED : EXIT_SERVED);
}

/* ---- in the process of the connection */

static int await(struct session *s, pid_t pid, int ready, const struct report *report)
{
	char byte;
	int status;

	if (read_full(ready, &byte, 1) == 1)
		return 0;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return session_refuse(s, report->err ? report->err : -EIO, "%s",
			      report->reason[0] ? report->reason : "the page server has ended");
}

static int start(struct session *s, const CriuReq *req, bool as_daemon, struct report *report, struct answer *ret)
{
	_cleanup_close_ int ready = -1;
	int fds[2], err;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return session_refuse(s, -errno, "pipe: %s", strerror(errno));
	ready = fds[0];
	pid = fork();
	if (!pid) {
		close(ready);
		run(s, req, as_daemon, report, fds[1]);
	}
	close(fds[1]);
	if (pid < 0)
		return session_refuse(s, -errno, "fork: %s", strerror(errno));
	err = await(s, pid, ready, report);
	if (err)
		return err;
	ret->resp.ps = &ret->ps;
	ret->ps.has_pid = true;
	ret->ps.pid = pid;
	ret->ps.has_port = report->port != 0;
	ret->ps.port = report->port;
	return 0;
}

static int serve(struct session *s, const CriuReq *req, bool as_daemon, struct answer *ret)
{
	struct report *report;
	int err;

	/* It would be a process with the client's ids that has what the service has, and is in its control groups. */
	if (!s->rights->ours)
		return session_refuse(s, -EPERM,
				      "page servers for clients without the rights of the service are not implemented");
	report = mmap(NULL, sizeof(*report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (report == MAP_FAILED)
		return session_refuse(s, -errno, "mmap: %s", strerror(errno));
	err = start(s, req, as_daemon, report, ret);
	munmap(report, sizeof(*report));
	return err;
}

int serve_page_server(struct session *s, const CriuReq *req, struct answer *ret)
{
	return serve(s, req, true, ret);
}

/* The client waits for its end by WAIT_PID. */
int serve_page_server_child(struct session *s, const CriuReq *req, struct answer *ret)
{
	return serve(s, req, false, ret);
}
