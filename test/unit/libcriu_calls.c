// SPDX-License-Identifier: GPL-2.0-only
/*
 * The calls of libcriu against a service that answers what the test wants: results, errno, notifications, descriptors.
 * Called as `libcriu_calls swrk FD` this program is the criu that the library starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "libcriu_fake.h"
#include "util_check.h"

static const char *self;

/* -- the program that is started -- */

/* Answers with what it sees of itself, as a pid. */
enum {
	SEEN_SIBLING = 1 << 0,
	SEEN_SIGCHLD_BLOCKED = 1 << 1,
	SEEN_CHILD = 1 << 2,
	SEEN_SESSION = 1 << 3,
	SEEN_INHERITED = 1 << 4,
	SEEN_PID = 1 << 5,
};

static int seen(const CriuReq *req)
{
	const char *parent = getenv("TEST_PARENT"), *inherited = getenv("TEST_INHERITED");
	sigset_t blocked;
	int bits = 0;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	if (req->opts && req->opts->has_rst_sibling && req->opts->rst_sibling)
		bits |= SEEN_SIBLING;
	if (sigismember(&blocked, SIGCHLD))
		bits |= SEEN_SIGCHLD_BLOCKED;
	if (parent && getppid() == atoi(parent))
		bits |= SEEN_CHILD;
	if (getsid(0) == getpid())
		bits |= SEEN_SESSION;
	if (inherited && fcntl(atoi(inherited), F_GETFD) >= 0)
		bits |= SEEN_INHERITED;
	if (req->opts && req->opts->has_pid)
		bits |= SEEN_PID;
	return bits;
}

static int worker(int fd)
{
	CriuReq *req = fake_request(fd);
	CriuRestoreResp restored = CRIU_RESTORE_RESP__INIT;
	CriuResp resp;

	if (!req)
		return 1;
	resp = fake_resp(req->type, true);
	restored.pid = seen(req);
	resp.restore = &restored;
	if (req->type == CRIU_REQ_TYPE__DUMP) { /* the only number of a failed dump */
		resp.success = false;
		resp.has_cr_errno = true;
		resp.cr_errno = restored.pid;
	}
	/* A number that the client has chosen, so that clients do not get each other's answers. */
	if (req->opts && req->opts->log_file)
		restored.pid = atoi(req->opts->log_file);
	fake_answer(fd, &resp, -1);
	criu_req__free_unpacked(req, NULL);
	return 0;
}

/* -- one answer on a socket that is passed -- */

static int version_call(criu_opts *opts)
{
	return criu_local_get_version(opts);
}

/* What call() returns if the service answers resp; NULL: it closes. */
static int with_answer(int (*call)(criu_opts *opts), const CriuResp *resp)
{
	criu_opts *opts;
	struct fake fake;
	int ret;

	if (criu_local_init_opts(&opts) || !fake_open(&fake))
		return -9999;
	if (resp)
		fake_answer(fake.service, resp, -1);
	else
		fake_close(&fake);
	criu_local_set_service_fd(opts, fake.client);
	errno = 77;
	ret = call(opts);
	criu_local_free_opts(opts);
	if (resp)
		fake_close(&fake);
	return ret;
}

static void results_of_dump(void)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__DUMP, true);
	CriuDumpResp dump = CRIU_DUMP_RESP__INIT;

	CHECK(with_answer(criu_local_dump, &resp) == 0);
	resp.dump = &dump;
	CHECK(with_answer(criu_local_dump, &resp) == 0);
	dump.has_restored = true;
	CHECK(with_answer(criu_local_dump, &resp) == 0);
	dump.restored = true;
	CHECK(with_answer(criu_local_dump, &resp) == 1);
	resp.success = false;
	CHECK(with_answer(criu_local_dump, &resp) == -EBADE && errno == 0);
	resp.has_cr_errno = true;
	resp.cr_errno = ESRCH;
	CHECK(with_answer(criu_local_dump, &resp) == -EBADE && errno == ESRCH);
}

static void results_of_others(void)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__RESTORE, true);
	CriuRestoreResp restore = CRIU_RESTORE_RESP__INIT;

	CHECK(with_answer(criu_local_restore, &resp) == -EBADMSG); /* no pid */
	resp.restore = &restore;
	restore.pid = 4711;
	CHECK(with_answer(criu_local_restore, &resp) == 4711);
	resp.success = false;
	resp.has_cr_errno = true;
	resp.cr_errno = EEXIST;
	CHECK(with_answer(criu_local_restore, &resp) == -EBADE && errno == EEXIST);
	resp = fake_resp(CRIU_REQ_TYPE__SINGLE_PRE_DUMP, true);
	CHECK(with_answer(criu_local_pre_dump, &resp) == 0);
	resp = fake_resp(CRIU_REQ_TYPE__CHECK, true);
	CHECK(with_answer(criu_local_check, &resp) == 0);
	resp.success = false;
	CHECK(with_answer(criu_local_check, &resp) == -EBADE && errno == 0);
}

static void other_answers(void)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__EMPTY, false);

	CHECK(with_answer(criu_local_dump, &resp) == -EINVAL);
	CHECK(with_answer(criu_local_check, &resp) == -EINVAL);
	resp.type = CRIU_REQ_TYPE__RESTORE;
	CHECK(with_answer(criu_local_dump, &resp) == -EBADMSG);
	CHECK(with_answer(criu_local_dump, NULL) == -ECOMM);
}

static void garbage(void)
{
	criu_opts *opts;
	struct fake fake;

	CHECK(!criu_local_init_opts(&opts) && fake_open(&fake));
	CHECK(send(fake.service, "\xff\xff\xff\xff", 4, 0) == 4);
	criu_local_set_service_fd(opts, fake.client);
	CHECK(criu_local_dump(opts) == -ECOMM);
	criu_local_free_opts(opts);
	fake_close(&fake);
}

/* Its number may belong to another file afterwards, which must not get a request, nor be closed. */
static void a_socket_serves_one_call(void)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__CHECK, true);
	struct fake fake, other;
	criu_opts *opts;
	char byte;

	CHECK(!criu_local_init_opts(&opts) && fake_open(&fake) && fake_open(&other));
	fake_answer(fake.service, &resp, -1);
	criu_local_set_service_fd(opts, fake.client);
	CHECK(criu_local_check(opts) == 0);
	CHECK(dup2(other.client, fake.client) == fake.client);
	CHECK(criu_local_check(opts) == -ECOMM);
	CHECK(fcntl(fake.client, F_GETFD) >= 0 && recv(other.service, &byte, 1, 0) < 0 && errno == EAGAIN);
	close(fake.client);
	close(other.client);
	criu_local_free_opts(opts);
	fake_close(&fake);
	fake_close(&other);
}

/* The socket is closed by the call: the other end sees it. */
static void socket_is_closed(void)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__CHECK, true);
	criu_opts *opts;
	struct fake fake;
	CriuReq *req;
	char byte;

	CHECK(!criu_local_init_opts(&opts) && fake_open(&fake));
	fake_answer(fake.service, &resp, -1);
	criu_local_set_service_fd(opts, fake.client);
	CHECK(criu_local_check(opts) == 0);
	req = fake_request(fake.service);
	CHECK(req && req->type == CRIU_REQ_TYPE__CHECK && !req->opts); /* a check sends no options */
	criu_req__free_unpacked(req, NULL);
	CHECK(recv(fake.service, &byte, 1, 0) == 0);
	CHECK(fcntl(fake.client, F_GETFD) < 0);
	criu_local_free_opts(opts);
	fake_close(&fake);
}

static int version(int major, int minor, int sublevel, char *gitid)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__VERSION, true);
	CriuVersion v = CRIU_VERSION__INIT;

	v.major_number = major;
	v.minor_number = minor;
	v.has_sublevel = sublevel != 0;
	v.sublevel = sublevel;
	v.gitid = gitid;
	resp.version = &v;
	return with_answer(version_call, &resp);
}

static void versions(void)
{
	CHECK(version(4, 2, 0, NULL) == 40200);
	CHECK(version(3, 17, 1, NULL) == 31701);
	CHECK(version(4, 2, 0, (char *)"v4.2-1-gabcdef") == 40300);
	CHECK(version(3, 17, 1, (char *)"v3.17.1-5") == 31800);
}

static int at_least_40100(criu_opts *opts)
{
	return criu_local_check_version(opts, 40100);
}

static void version_checks(void)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__VERSION, true);
	CriuVersion v = CRIU_VERSION__INIT;

	CHECK(with_answer(at_least_40100, &resp) == -EBADMSG);
	resp.version = &v;
	v.major_number = 4;
	v.minor_number = 1;
	CHECK(with_answer(at_least_40100, &resp) == 1);
	v.minor_number = 0;
	CHECK(with_answer(at_least_40100, &resp) == 0);
	resp.success = false;
	CHECK(with_answer(at_least_40100, &resp) == -EBADE);
}

/* -- features -- */

static void features(void)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__FEATURE_CHECK, true);
	CriuFeatures there = CRIU_FEATURES__INIT;
	struct criu_feature_check check = { .mem_track = true, .pidfd_store = true };
	criu_opts *opts;
	struct fake fake;
	CriuReq *req;

	there.has_mem_track = there.has_lazy_pages = there.has_pidfd_store = true;
	there.pidfd_store = true;
	resp.features = &there;
	CHECK(!criu_local_init_opts(&opts) && fake_open(&fake));
	fake_answer(fake.service, &resp, -1);
	criu_local_set_service_fd(opts, fake.client);
	CHECK(criu_local_feature_check(opts, &check, sizeof(check)) == 0);
	CHECK(!check.mem_track && !check.lazy_pages && check.pidfd_store);
	req = fake_request(fake.service);
	CHECK(req && req->features && req->features->mem_track && !req->features->lazy_pages &&
	      req->features->pidfd_store);
	criu_req__free_unpacked(req, NULL);
	CHECK(criu_local_feature_check(opts, NULL, sizeof(check)) == -EINVAL);
	CHECK(criu_local_feature_check(opts, &check, sizeof(check) + 1) == -EINVAL);
	criu_local_free_opts(opts);
	fake_close(&fake);
}

/* What lies beyond the caller's struct is not written. */
static void features_of_an_older_header(void)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__FEATURE_CHECK, true);
	CriuFeatures there = CRIU_FEATURES__INIT;
	struct criu_feature_check check = { .mem_track = true };
	criu_opts *opts;
	struct fake fake;

	there.has_mem_track = there.has_lazy_pages = there.mem_track = there.lazy_pages = true;
	resp.features = &there;
	CHECK(!criu_local_init_opts(&opts) && fake_open(&fake));
	fake_answer(fake.service, &resp, -1);
	criu_local_set_service_fd(opts, fake.client);
	CHECK(criu_local_feature_check(opts, &check, 1) == 0);
	CHECK(check.mem_track && !check.lazy_pages);
	criu_local_free_opts(opts);
	fake_close(&fake);
}

/* -- notifications -- */

static char heard[256];
static int refuse_with, heard_pid, heard_fd;

static int listener(char *action, criu_notify_arg_t na)
{
	strcat(strcat(heard, action), " ");
	heard_pid = criu_notify_pid(na);
	heard_fd = criu_get_orphan_pts_master_fd();
	return strcmp(action, "post-restore") ? 0 : refuse_with;
}

static void announce(int fd, const char *script, int pid, int passed)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__NOTIFY, true);
	CriuNotify notify = CRIU_NOTIFY__INIT;

	notify.script = (char *)script;
	notify.has_pid = pid != 0;
	notify.pid = pid;
	resp.notify = &notify;
	fake_answer(fd, &resp, passed);
}

/* -1: no acknowledgement. */
static int acknowledged(int fd)
{
	CriuReq *req = fake_request(fd);
	int ret = -1;

	if (!req)
		return -1;
	if (req->type == CRIU_REQ_TYPE__NOTIFY && req->has_notify_success)
		ret = req->notify_success;
	criu_req__free_unpacked(req, NULL);
	return ret;
}

static int restore_with_notifications(struct fake *fake, int (*cb)(char *action, criu_notify_arg_t na))
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__RESTORE, true);
	CriuRestoreResp restore = CRIU_RESTORE_RESP__INIT;
	CriuReq *req;
	criu_opts *opts;
	int ret;

	if (criu_local_init_opts(&opts))
		return -9999;
	restore.pid = 3;
	resp.restore = &restore;
	announce(fake->service, "post-restore", 55, -1);
	announce(fake->service, "post-resume", 0, -1);
	fake_answer(fake->service, &resp, -1);
	heard[0] = '\0';
	if (cb)
		criu_local_set_notify_cb(opts, cb);
	criu_local_set_service_fd(opts, fake->client);
	ret = criu_local_restore(opts);
	req = fake_request(fake->service);
	if (req)
		criu_req__free_unpacked(req, NULL);
	criu_local_free_opts(opts);
	return ret;
}

static void notifications(void)
{
	struct fake fake;

	refuse_with = 0;
	CHECK(fake_open(&fake));
	CHECK(restore_with_notifications(&fake, listener) == 3);
	CHECK_STR(heard, "post-restore post-resume ");
	CHECK(heard_pid == 0); /* of the last */
	CHECK(acknowledged(fake.service) == 1);
	CHECK(acknowledged(fake.service) == 1);
	CHECK(acknowledged(fake.service) == -1);
	fake_close(&fake);
}

/* Without a callback (a config file asked for them) they are acknowledged. */
static void notifications_without_receiver(void)
{
	struct fake fake;

	CHECK(fake_open(&fake));
	CHECK(restore_with_notifications(&fake, NULL) == 3);
	CHECK(acknowledged(fake.service) == 1);
	CHECK(acknowledged(fake.service) == 1);
	fake_close(&fake);
}

static void refusals(void)
{
	static const int values[] = { 5, -5 };

	for (int i = 0; i < 2; i++) {
		struct fake fake;

		refuse_with = values[i];
		CHECK(fake_open(&fake));
		CHECK(restore_with_notifications(&fake, listener) == values[i]);
		CHECK_STR(heard, "post-restore ");
		CHECK(heard_pid == 55);
		CHECK(acknowledged(fake.service) == 0);
		CHECK(acknowledged(fake.service) == -1);
		fake_close(&fake);
	}
}

static int open_descriptors(void)
{
	int nr = 0;

	for (int fd = 0; fd < 200; fd++)
		nr += fcntl(fd, F_GETFD) >= 0;
	return nr;
}

/* The descriptor is the caller's, also after the call. Others that come with an answer are closed. */
static void terminal_master(void)
{
	CriuResp resp = fake_resp(CRIU_REQ_TYPE__CHECK, true);
	struct fake fake;
	criu_opts *opts;
	struct stat sent, got;
	int pipes[2], before;

	CHECK(criu_get_orphan_pts_master_fd() == -1);
	CHECK(!criu_local_init_opts(&opts) && fake_open(&fake) && !pipe(pipes));
	announce(fake.service, "orphan-pts-master", 0, pipes[0]);
	announce(fake.service, "post-restore", 0, pipes[1]);
	fake_answer(fake.service, &resp, pipes[1]);
	refuse_with = 0;
	heard_fd = -1;
	criu_local_set_notify_cb(opts, listener);
	criu_local_set_service_fd(opts, fake.client);
	before = open_descriptors();
	CHECK(criu_local_check(opts) == 0);
	CHECK(open_descriptors() == before); /* one more, and the socket less */
	CHECK(heard_fd >= 0 && criu_get_orphan_pts_master_fd() == heard_fd);
	CHECK(!fstat(heard_fd, &got) && !fstat(pipes[0], &sent) && got.st_ino == sent.st_ino);
	close(heard_fd);
	close(pipes[0]);
	close(pipes[1]);
	criu_local_free_opts(opts);
	fake_close(&fake);
}

/* -- iterations -- */

static int iterations, stop_with;

static int more(criu_predump_info pi)
{
	return --iterations > 0 ? 1 : stop_with;
}

static void dump_in_iterations(void)
{
	CriuResp pre = fake_resp(CRIU_REQ_TYPE__PRE_DUMP, true), last = fake_resp(CRIU_REQ_TYPE__DUMP, true);
	CriuReqType want[] = { CRIU_REQ_TYPE__PRE_DUMP, CRIU_REQ_TYPE__PRE_DUMP, CRIU_REQ_TYPE__DUMP };
	struct fake fake;
	criu_opts *opts;

	CHECK(!criu_local_init_opts(&opts) && fake_open(&fake));
	CHECK(criu_local_dump_iters(opts, more) == -EINVAL); /* no pid */
	criu_local_set_pid(opts, 1);
	CHECK(criu_local_dump_iters(opts, NULL) == -EINVAL);
	fake_answer(fake.service, &pre, -1);
	fake_answer(fake.service, &pre, -1);
	fake_answer(fake.service, &last, -1);
	iterations = 2;
	stop_with = 0;
	criu_local_set_service_fd(opts, fake.client);
	CHECK(criu_local_dump_iters(opts, more) == 0);
	for (int i = 0; i < 3; i++) {
		CriuReq *req = fake_request(fake.service);

		CHECK(req && req->type == want[i] && req->opts && req->opts->pid == 1);
		criu_req__free_unpacked(req, NULL);
	}
	fake_close(&fake);
	CHECK(fake_open(&fake));
	fake_answer(fake.service, &pre, -1);
	iterations = 1;
	stop_with = -7;
	criu_local_set_service_fd(opts, fake.client);
	CHECK(criu_local_dump_iters(opts, more) == -7);
	criu_local_free_opts(opts);
	fake_close(&fake);
}

/* -- other transports -- */

static void no_service(void)
{
	char long_path[200];

	CHECK(!criu_init_opts());
	CHECK(!criu_set_service_address("/nonexistent/socket"));
	CHECK(criu_check() == -ECONNREFUSED && errno == ENOENT);
	memset(long_path, 'x', sizeof(long_path));
	long_path[sizeof(long_path) - 1] = '\0';
	CHECK(!criu_set_service_address(long_path));
	CHECK(criu_check() == -ECONNREFUSED && errno == ENAMETOOLONG);
	criu_free_opts();
}

/* The default address is in the current directory. */
static void service(void)
{
	char dir[] = "/tmp/libcriu.XXXXXX";
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "criu_service.socket" };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	pid_t pid;

	CHECK(mkdtemp(dir) && !chdir(dir));
	CHECK(!bind(fd, (struct sockaddr *)&address, sizeof(address)) && !listen(fd, 1));
	pid = fork();
	if (!pid) {
		int client = accept(fd, NULL, NULL);
		CriuResp resp = fake_resp(CRIU_REQ_TYPE__CHECK, true);
		CriuReq *req = fake_request(client);

		_exit(req && fake_answer(client, &resp, -1) ? 0 : 1);
	}
	CHECK(!criu_init_opts() && !criu_set_service_address(NULL));
	CHECK(criu_check() == 0);
	criu_free_opts();
	CHECK(waitpid(pid, NULL, 0) == pid);
	close(fd);
	CHECK(!unlink(address.sun_path) && !chdir("/") && !rmdir(dir));
}

static bool no_child_left(void)
{
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void wrong_programs(void)
{
	CHECK(!criu_init_opts());
	CHECK(!criu_set_service_binary("/nonexistent/criu"));
	CHECK(criu_check() == -ECOMM);
	CHECK(!criu_set_service_binary("false")); /* found in PATH, says nothing */
	CHECK(criu_check() == -ECOMM);
	CHECK(no_child_left());
	criu_free_opts();
}

/* Run with SIGCHLD blocked, as callers of criu_restore_child() do. Later calls are not changed by it. */
static void program(void)
{
	sigset_t chld;
	int fds[2], bits;
	char number[16];

	CHECK(!pipe(fds));
	snprintf(number, sizeof(number), "%d", fds[0]);
	setenv("TEST_INHERITED", number, 1);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	CHECK(!criu_init_opts() && !criu_set_service_binary(self));
	bits = criu_restore_child();
	CHECK(bits == (SEEN_SIBLING | SEEN_CHILD | SEEN_INHERITED));
	bits = criu_restore();
	CHECK(bits == (SEEN_CHILD | SEEN_INHERITED));
	sigprocmask(SIG_UNBLOCK, &chld, NULL);
	CHECK(no_child_left());
	criu_free_opts();
	close(fds[0]);
	close(fds[1]);
}

/* Who dumps itself is no relative of the program. */
static void dump_of_oneself(void)
{
	unsetenv("TEST_INHERITED");
	CHECK(!criu_init_opts() && !criu_set_service_binary(self));
	CHECK(criu_dump() == -EBADE && errno == SEEN_SESSION);
	criu_set_pid(getpid());
	CHECK(criu_dump() == -EBADE && errno == (SEEN_SESSION | SEEN_PID));
	criu_set_pid(1);
	CHECK(criu_dump() == -EBADE && errno == (SEEN_CHILD | SEEN_PID));
	CHECK(no_child_left());
	criu_free_opts();
}

static void *restore_in_thread(void *arg)
{
	criu_opts *opts;
	char number[16];
	long wrong = 0;

	if (criu_local_init_opts(&opts) || criu_local_set_service_binary(opts, self))
		return (void *)1;
	for (int i = 0; i < 20; i++) {
		int want = (int)(long)arg * 1000 + i;

		snprintf(number, sizeof(number), "%d", want);
		criu_local_set_log_file(opts, number);
		wrong += criu_local_restore(opts) != want;
	}
	criu_local_free_opts(opts);
	return (void *)wrong;
}

static void threads(void)
{
	pthread_t thread[8];

	for (long i = 0; i < 8; i++)
		CHECK(!pthread_create(&thread[i], NULL, restore_in_thread, (void *)(i + 1)));
	for (int i = 0; i < 8; i++) {
		void *wrong;

		pthread_join(thread[i], &wrong);
		CHECK(!wrong);
	}
	CHECK(no_child_left());
}

int main(int argc, char **argv)
{
	char number[16];

	if (argc == 3 && !strcmp(argv[1], "swrk"))
		return worker(atoi(argv[2]));
	self = realpath("/proc/self/exe", NULL);
	snprintf(number, sizeof(number), "%d", getpid());
	setenv("TEST_PARENT", number, 1);
	RUN(results_of_dump);
	RUN(results_of_others);
	RUN(other_answers);
	RUN(garbage);
	RUN(a_socket_serves_one_call);
	RUN(socket_is_closed);
	RUN(versions);
	RUN(version_checks);
	RUN(features);
	RUN(features_of_an_older_header);
	RUN(notifications);
	RUN(notifications_without_receiver);
	RUN(refusals);
	RUN(terminal_master);
	RUN(dump_in_iterations);
	RUN(no_service);
	RUN(service);
	RUN(wrong_programs);
	RUN(program);
	RUN(dump_of_oneself);
	RUN(threads);
	free((char *)self);
	DONE();
}
