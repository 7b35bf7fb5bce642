// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tree with one of everything that a dump seizes, changes temporarily, or leaves a name for: rich DIR. Two processes
 * and a thread that use all of it continuously: a TCP connection and a unix one with data and descriptors in flight,
 * locks of three types, a terminal with unread input, SysV segments, files unlinked or with one of several links
 * removed, a zombie. It writes DIR/ready once, DIR/beat repeatedly, DIR/wrong as soon as a check fails. SIGTERM ends
 * it, with status 0 if all was well; so does DIR/go, with "ok" in DIR/done.
 * test: options=--tcp-established,--file-locks,--link-remap
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include "report.h"

#define AHEAD 3 /* this many numbers are in flight in every channel */
#define SEGMENT (64u << 10)

static volatile sig_atomic_t ending;
static volatile long thread_rounds;

#define must(cond, ...)                                                                            \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			char why[256];                                                             \
			int error = errno;                                                         \
			snprintf(why, sizeof(why), __VA_ARGS__);                                   \
			put("wrong", "line %d: %s: %s (errno %d)\n", __LINE__, #cond, why, error); \
			put("done", "wrong\n");                                                    \
			_exit(1);                                                                  \
		}                                                                                  \
	} while (0)

static char *in_dir(const char *name)
{
	static char path[4][4096];
	static unsigned n;
	char *p = path[n++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

/* A stop may interrupt some calls with EINTR if its tracer is killed: this is expected. */
static void wait_readable(int fd, const char *what)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int got;

	do
		got = poll(&p, 1, 60000);
	while (got < 0 && errno == EINTR);
	must(got == 1, "%s: no data (%#x)", what, p.revents);
}

/* A channel carries a sequence of numbers, one per round. */
struct channel {
	const char *name;
	int in, out;
};

static void send_number(const struct channel *c, uint32_t n)
{
	must(write(c->in, &n, sizeof(n)) == sizeof(n), "%s", c->name);
}

static void take_number(const struct channel *c, uint32_t n)
{
	uint32_t got = 0;
	ssize_t len;

	wait_readable(c->out, c->name);
	len = read(c->out, &got, sizeof(got));
	must(len == sizeof(got) && got == n, "%s: %zd bytes, %u instead of %u", c->name, len, got, n);
}

static struct channel tcp_channel(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	struct channel c = { .name = "tcp" };
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	must(!bind(listener, (void *)&addr, len) && !listen(listener, 4) && !getsockname(listener, (void *)&addr, &len),
	     "listener");
	c.in = socket(AF_INET, SOCK_STREAM, 0);
	must(!connect(c.in, (void *)&addr, len), "connect");
	c.out = accept(listener, NULL, NULL);
	must(c.out >= 0, "accept");
	return c;
}

static struct channel pty_channel(void)
{
	struct channel c = { .name = "pty" };
	struct termios t;

	c.in = posix_openpt(O_RDWR | O_NOCTTY);
	must(c.in >= 0 && !grantpt(c.in) && !unlockpt(c.in), "pty");
	c.out = open(ptsname(c.in), O_RDWR | O_NOCTTY);
	must(c.out >= 0 && !tcgetattr(c.out, &t), "pty");
	cfmakeraw(&t);
	must(!tcsetattr(c.out, TCSANOW, &t), "raw mode");
	return c;
}

/* Every message carries the read end of a pipe that contains the number. */
static void send_pipe(int sock, uint32_t n)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	struct iovec iov = { &n, sizeof(n) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *h = CMSG_FIRSTHDR(&m);
	int fds[2];

	must(!pipe2(fds, O_CLOEXEC) && write(fds[1], &n, sizeof(n)) == sizeof(n), "pipe");
	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fds[0], sizeof(int));
	must(sendmsg(sock, &m, 0) == sizeof(n), "sendmsg");
	close(fds[0]);
	close(fds[1]);
}

static void take_pipe(int sock, uint32_t n)
{
	char control[CMSG_SPACE(sizeof(int))] = "";
	uint32_t got = 0, inside = 0;
	struct iovec iov = { &got, sizeof(got) };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *h;
	ssize_t len;
	int fd;

	wait_readable(sock, "unix");
	len = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);
	must(len == sizeof(got) && got == n, "unix: %zd bytes, %u instead of %u", len, got, n);
	h = CMSG_FIRSTHDR(&m);
	must(h && h->cmsg_type == SCM_RIGHTS && h->cmsg_len == CMSG_LEN(sizeof(int)), "no descriptor in message %u", n);
	memcpy(&fd, CMSG_DATA(h), sizeof(fd));
	must(read(fd, &inside, sizeof(inside)) == sizeof(inside) && inside == n, "pipe in message %u has %u", n,
	     inside);
	must(read(fd, &inside, sizeof(inside)) == 0, "no EOF on the pipe in message %u", n);
	close(fd);
}

struct files {
	int posix, ofd, flocked; /* locked ones, one file each */
	int ghost, linked, memfd;
};

static int make_file(const char *name)
{
	int fd = open(in_dir(name), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(fd >= 0 && write(fd, name, strlen(name)) == (ssize_t)strlen(name), "%s", name);
	return fd;
}

static struct files make_files(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1, .l_len = 3 };
	struct files f = { make_file("posix"), make_file("ofd"),    make_file("flocked"),
			   make_file("ghost"), make_file("linked"), memfd_create("memfd", MFD_CLOEXEC) };

	must(!fcntl(f.posix, F_SETLK, &lock) && !fcntl(f.ofd, F_OFD_SETLK, &lock) && !flock(f.flocked, LOCK_EX),
	     "lock");
	unlink(in_dir("other.name"));
	must(!link(in_dir("linked"), in_dir("other.name")) && !unlink(in_dir("linked")) && !unlink(in_dir("ghost")),
	     "names");
	must(write(f.memfd, "memfd", 5) == 5, "memfd");
	return f;
}

static void check_lock(const char *name)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 2, .l_len = 1 };
	int fd = open(in_dir(name), O_RDWR | O_CLOEXEC);

	must(fd >= 0, "%s", name);
	/*
	 * Queried through another description, as an owner other than the process: closing it drops only POSIX locks.
	 */
	must(!fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type == F_WRLCK && lock.l_start == 1 && lock.l_len == 3,
	     "the lock of %s: type %d, %ld+%ld", name, lock.l_type, (long)lock.l_start, (long)lock.l_len);
	close(fd);
}

static void check_content(int fd, const char *text, bool has_name)
{
	char got[32] = "";
	struct stat st;

	must(pread(fd, got, sizeof(got) - 1, 0) == (ssize_t)strlen(text) && !strcmp(got, text), "%s has %s", text, got);
	/* Every link remap in retained images is one more name. */
	must(!fstat(fd, &st) && has_name == (st.st_nlink > 0), "%s has %lu links", text, (unsigned long)st.st_nlink);
}

static void check_files(const struct files *f, pid_t asker)
{
	int again = open(in_dir("flocked"), O_RDWR | O_CLOEXEC);

	must(again >= 0 && flock(again, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK, "the file may be locked again");
	close(again);
	check_lock("ofd");
	/* A process loses all its POSIX locks on a file when it closes any descriptor of it: the child queries. */
	if (asker != getpid())
		check_lock("posix");
	check_content(f->ghost, "ghost", false);
	check_content(f->memfd, "memfd", false);
	check_content(f->linked, "linked", true);
}

struct segments {
	volatile uint32_t *kept, *removed, *anon;
	int id;
};

static struct segments make_segments(void)
{
	struct segments s = { .id = shmget(IPC_PRIVATE, SEGMENT, IPC_CREAT | 0600) };
	int removed = shmget(IPC_PRIVATE, SEGMENT, IPC_CREAT | 0600);

	must(s.id >= 0 && removed >= 0, "shmget");
	s.kept = shmat(s.id, NULL, 0);
	s.removed = shmat(removed, NULL, 0);
	s.anon = mmap(NULL, SEGMENT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(s.kept != (void *)-1 && s.removed != (void *)-1 && s.anon != MAP_FAILED, "shmat");
	shmctl(removed, IPC_RMID, NULL);
	return s;
}

static void check_segments(struct segments *s, uint32_t n)
{
	struct shmid_ds ds;

	must(*s->kept == n && *s->removed == n && *s->anon == n, "segments have %u, %u, %u instead of %u", *s->kept,
	     *s->removed, *s->anon, n);
	/* A copy of a task that a dump creates has it attached, too, as long as it exists. */
	must(!shmctl(s->id, IPC_STAT, &ds) && ds.shm_nattch >= 2, "%lu attachments", (unsigned long)ds.shm_nattch);
	*s->kept = *s->removed = *s->anon = n + 1;
}

struct events {
	int event, epoll, timer, notify;
};

static struct events make_events(void)
{
	struct itimerspec its = { .it_interval = { 0, 5000000 }, .it_value = { 0, 5000000 } };
	struct events e = { eventfd(0, EFD_CLOEXEC), epoll_create1(EPOLL_CLOEXEC), timerfd_create(CLOCK_MONOTONIC, 0),
			    inotify_init1(IN_CLOEXEC) };
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = 77 };

	must(!epoll_ctl(e.epoll, EPOLL_CTL_ADD, e.event, &ev) && !timerfd_settime(e.timer, 0, &its, NULL), "events");
	close(open(in_dir("watched"), O_WRONLY | O_CREAT, 0600));
	must(inotify_add_watch(e.notify, in_dir("watched"), IN_ATTRIB) > 0, "inotify");
	return e;
}

static void check_events(const struct events *e)
{
	struct epoll_event ev = { 0 };
	char text[512];
	uint64_t value = 5;
	int got;

	must(write(e->event, &value, 8) == 8, "eventfd");
	do
		got = epoll_wait(e->epoll, &ev, 1, 10000);
	while (got < 0 && errno == EINTR);
	must(got == 1 && ev.data.u64 == 77, "epoll gives %d, %lu", got, (unsigned long)ev.data.u64);
	must(read(e->event, &value, 8) == 8 && value == 5, "eventfd gives %lu", (unsigned long)value);
	wait_readable(e->timer, "timerfd");
	must(read(e->timer, &value, 8) == 8 && value, "timerfd");
	must(!chmod(in_dir("watched"), 0600), "chmod");
	wait_readable(e->notify, "inotify");
	must(read(e->notify, text, sizeof(text)) >= (ssize_t)sizeof(struct inotify_event), "inotify");
}

static void on_term(int sig)
{
	ending = 1;
}

static void *thread(void *arg)
{
	while (!ending) {
		usleep(1000);
		thread_rounds++;
	}
	return NULL;
}

/* The child echoes what the parent sends, and checks what both have. */
static void child(const struct channel *there, const struct channel *back, const struct files *f, pid_t parent)
{
	uint32_t n;

	signal(SIGTERM, SIG_IGN);
	while (read(there->out, &n, sizeof(n)) == sizeof(n)) {
		must(getppid() == parent, "another parent: %d", getppid());
		check_files(f, parent);
		send_number(back, n);
	}
	_exit(0);
}

static struct channel pipe_channel(const char *name)
{
	struct channel c = { .name = name };
	int fds[2];

	must(!pipe2(fds, O_CLOEXEC), "pipe");
	c.in = fds[1];
	c.out = fds[0];
	return c;
}

static void check_zombie(pid_t zombie)
{
	siginfo_t info = { 0 };

	must(!waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT) && info.si_status == SIGKILL,
	     "the zombie has status %d", info.si_status);
}

int main(int argc, char **argv)
{
	struct channel tcp, pty, there, back;
	int pair[2];
	struct files files;
	struct segments segments;
	struct events events;
	pthread_t id;
	pid_t kid, zombie;
	uint32_t n = 0;

	if (argc < 2)
		return 2;
	dir = argv[1];
	signal(SIGTERM, on_term);
	tcp = tcp_channel();
	pty = pty_channel();
	there = pipe_channel("pipe to the child");
	back = pipe_channel("pipe of the child");
	must(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), "socketpair");
	files = make_files();
	segments = make_segments();
	events = make_events();
	zombie = fork();
	if (!zombie)
		raise(SIGKILL);
	check_zombie(zombie);
	kid = fork();
	if (!kid) {
		close(there.in);
		child(&there, &back, &files, getppid());
	}
	close(there.out);
	must(kid > 0 && zombie > 0 && !pthread_create(&id, NULL, thread, NULL), "tasks");
	for (; !ending; n++) {
		send_number(&tcp, n);
		send_number(&pty, n);
		send_pipe(pair[0], n);
		send_number(&there, n);
		take_number(&back, n);
		if (n >= AHEAD) {
			take_number(&tcp, n - AHEAD);
			take_number(&pty, n - AHEAD);
			take_pipe(pair[1], n - AHEAD);
		}
		check_files(&files, getpid());
		check_segments(&segments, n);
		check_events(&events);
		check_zombie(zombie);
		put("beat", "%u %ld\n", n, thread_rounds);
		if (n == AHEAD)
			put("ready", "%d\n", getpid());
		if (n > AHEAD && !access(in_dir("go"), F_OK))
			break;
	}
	close(there.in);
	must(waitpid(kid, &(int){ 0 }, 0) == kid && waitpid(zombie, &(int){ 0 }, 0) == zombie,
	     "exit status of the children");
	shmctl(segments.id, IPC_RMID, NULL);
	put("done", "ok\n");
	_exit(0);
}
