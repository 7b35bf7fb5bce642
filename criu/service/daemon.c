// SPDX-License-Identifier: GPL-2.0-only
/* criu service: accepts connections, and serves each in a process of its own. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/securebits.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "run/background.h"
#include "run/options.h"
#include "service/context.h"
#include "service/listen.h"
#include "service/requests.h"
#include "service/serve.h"
#include "service/service.h"
#include "service/wire.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/output.h"
#include "util/proc_root.h"

/* Requests that are served at once: of one user other than ours, and in all. */
#define WORKERS_OF_USER 16
#define WORKERS_MAX 256
/* A client that sends nothing for so long is disconnected. */
#define REQUEST_TIMEOUT_MS 30000

struct worker {
	pid_t pid; /* 0: none */
	uid_t uid;
};

struct service {
	const struct options *opts;
	const char *path; /* of our socket; NULL: it is not ours */
	struct stat place; /* what was there when it began */
	int sock, signals;
	sigset_t mask_before;
	struct worker workers[WORKERS_MAX];
	size_t nr_workers;
};

/* ---- in the process of one connection */

static void refuse_connection(int sock, const char *why)
{
	CriuResp resp = CRIU_RESP__INIT;

	resp.type = CRIU_REQ_TYPE__EMPTY;
	resp.success = false;
	resp.cr_errmsg = (char *)why;
	wire_send(sock, &resp, -1);
}

/* Nothing of the service is left in it but its standard descriptors, and its log. */
static void leave_service(const struct service *service)
{
	/* Its terminal, too: who has that may type there (TIOCSTI). */
	if (setsid() < 0 || log_separate() < 0)
		_exit(EXIT_REQUEST_FAILED);
	close(service->sock);
	close(service->signals);
	/* Only the service ends with its signals; a dump or restore checks for them. */
	sigprocmask(SIG_SETMASK, &service->mask_before, NULL);
	prctl(PR_SET_NAME, "criu-request");
}

static int serve_client(struct session *s, struct client_rights *rights)
{
	const char *why;
	int err = client_rights_read(&s->client, rights, &why);

	if (!err && !rights->ours)
		err = client_rights_limit(&s->client);
	if (!err && !rights->ours && context_leave()) {
		err = -EIO;
		why = "the service cannot leave its own context";
	}
	if (err) {
		log_info("client %d: refused: %s: %s", s->client.pid, why, strerror(-err));
		s->refusal = why;
	}
	return session_serve(s, REQUEST_TIMEOUT_MS);
}

static _Noreturn void run_worker(const struct service *service, int sock)
{
	struct client_rights rights;
	struct session s = { .rights = &rights };
	int err;

	leave_service(service);
	err = client_begin(&s.client, sock);
	if (err) {
		fail(err, "serve a client");
		_exit(EXIT_REQUEST_FAILED);
	}
	_exit(serve_client(&s, &rights));
}

/* ---- the service */

static size_t workers_of(const struct service *service, uid_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < WORKERS_MAX; i++)
		n += service->workers[i].pid && service->workers[i].uid == uid;
	return n;
}

static struct worker *free_worker(struct service *service)
{
	for (size_t i = 0; i < WORKERS_MAX; i++)
		if (!service->workers[i].pid)
			return &service->workers[i];
	return NULL;
}

static void start_worker(struct service *service, int sock)
{
	struct worker *worker = free_worker(service);
	struct ucred peer;
	socklen_t len = sizeof(peer);
	pid_t pid;

	if (!worker || getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return;
	if (peer.uid != geteuid() && workers_of(service, peer.uid) >= WORKERS_OF_USER) {
		refuse_connection(sock, "too many requests of this user at once; try again later");
		return;
	}
	pid = fork();
	if (pid < 0) {
		refuse_connection(sock, "the service cannot create a process; try again later");
		log_warn("fork: %s", strerror(errno));
		return;
	}
	if (!pid)
		run_worker(service, sock);
	*worker = (struct worker){ pid, peer.uid };
	service->nr_workers++;
	log_info("process %d serves client %d of user %u", pid, peer.pid, peer.uid);
}

static void accept_client(struct service *service)
{
	_cleanup_close_ int sock = accept4(service->sock, NULL, NULL, SOCK_CLOEXEC);

	if (sock < 0) {
		if (errno != EINTR && errno != EAGAIN && errno != ECONNABORTED)
			log_warn("accept: %s", strerror(errno));
		return;
	}
	start_worker(service, sock);
}

static void reap_workers(struct service *service)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < WORKERS_MAX; i++) {
			if (service->workers[i].pid != pid)
				continue;
			service->workers[i].pid = 0;
			service->nr_workers--;
			log_info("process %d has ended: %s %d", pid, WIFSIGNALED(status) ? "signal" : "exit status",
				 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		}
}

/* True: the service is to end. */
static bool take_signals(struct service *service)
{
	struct signalfd_siginfo info;
	bool end = false;

	while (read(service->signals, &info, sizeof(info)) == sizeof(info))
		end |= info.ssi_signo != SIGCHLD;
	reap_workers(service);
	return end;
}

static void accept_until_signal(struct service *service)
{
	for (;;) {
		struct pollfd fds[2] = { { .fd = service->signals, .events = POLLIN },
					 { .fd = service->sock, .events = POLLIN } };

		/* The others wait in the queue of the socket. */
		if (poll(fds, service->nr_workers < WORKERS_MAX ? 2 : 1, -1) < 0 && errno != EINTR)
			return;
		if (fds[0].revents && take_signals(service))
			return;
		if (fds[1].revents)
			accept_client(service);
	}
}

static int open_signals(struct service *service)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, &service->mask_before);
	sigdelset(&service->mask_before, SIGCHLD);
	service->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	return service->signals < 0 ? fail(-errno, "signalfd") : 0;
}

static int begin(struct service *service, int *ret_ready)
{
	int err;

	if (fchdir(service->opts->work_dir_fd) < 0)
		return fail(-errno, "change to the work directory");
	service->sock = listen_open(service->opts, &service->path);
	if (service->sock < 0)
		return service->sock;
	if (service->path && lstat(service->path, &service->place) < 0)
		return fail(-errno, "stat %s", service->path);
	/* Files of a client are opened with its effective ids, without capabilities. */
	if (prctl(PR_GET_SECUREBITS) & SECBIT_NO_SETUID_FIXUP)
		return fail(-EPERM, "the service cannot run with the securebit no-setuid-fixup");
	err = service->opts->restore_detached ? background_enter(ret_ready) : 0;
	if (!err)
		err = open_signals(service);
	if (!err)
		err = background_ready(service->opts, *ret_ready);
	return err;
}

/* Another service may listen there by now. */
static bool is_ours(const struct service *service)
{
	struct stat st;

	return lstat(service->path, &st) == 0 && st.st_dev == service->place.st_dev &&
	       st.st_ino == service->place.st_ino;
}

int service_run(const struct options *opts)
{
	_cleanup_close_ int ready = -1;
	struct service *service = calloc(1, sizeof(*service));
	int err;

	if (!service)
		return fail(-ENOMEM, "service");
	*service = (struct service){ .opts = opts, .sock = -1, .signals = -1 };
	err = begin(service, &ready);
	if (!err) {
		log_info("service: listening on %s", service->path ? service->path : "a socket of the service manager");
		accept_until_signal(service);
	}
	/* Requests that are being served end by themselves. */
	if (service->path && is_ours(service))
		unlink(service->path);
	if (service->path && opts->pidfile)
		output_remove(opts->work_dir_fd, opts->pidfile);
	cleanup_close(&service->sock);
	cleanup_close(&service->signals);
	free(service);
	return err;
}
