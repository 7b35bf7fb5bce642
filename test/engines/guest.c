// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs in the containers of test/engines: keeps state of several kinds, verifies it ten times a second, and reports in
 * /tmp/report: "N ok", or "N broken: WHAT". On TCP port 7000, and on its terminal, it answers each line with its number and
 * the line. With the argument `lock` it holds a lock on a file.
 * Linked statically: the container has no libraries.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PORT 7000
#define BYTES (4 << 20)
#define TICK 100 /* ms */

static unsigned *memory;
static atomic_uint turns; /* of the thread */
static struct utsname names;
static struct timespec last;
static pid_t self, child;
static int to_child, timer, shm, listener;
static bool is_locked;

static unsigned pattern(size_t i)
{
	return (unsigned)i * 2654435761U;
}

static void *turn(void *arg)
{
	for (;;) {
		turns++;
		usleep(10000);
	}
	return arg;
}

/* A child that answers each byte with the next one. */
static void serve(int fd)
{
	char c;

	while (read(fd, &c, 1) == 1) {
		c++;
		if (write(fd, &c, 1) != 1)
			break;
	}
	_exit(0);
}

static int begin(void)
{
	struct itimerspec every = { { 0, TICK * 1000000L }, { 0, TICK * 1000000L } };
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	pthread_t thread;
	int ends[2], one = 1;

	self = getpid();
	uname(&names);
	clock_gettime(CLOCK_MONOTONIC, &last);
	memory = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < BYTES / sizeof(*memory); i++)
		memory[i] = pattern(i);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) < 0)
		return -1;
	child = fork();
	if (!child) {
		close(ends[0]);
		serve(ends[1]);
	}
	close(ends[1]);
	to_child = ends[0];
	shm = open("/dev/shm/guest", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (shm < 0)
		shm = open("/tmp/guest", O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (write(shm, "content", 7) != 7)
		return -1;
	timer = timerfd_create(CLOCK_MONOTONIC, 0);
	timerfd_settime(timer, 0, &every, NULL);
	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(listener, 5) < 0)
		return -1;
	return pthread_create(&thread, NULL, turn, NULL) ? -1 : 0;
}

/* With a description of its own: as another process would. */
static int try_lock(void)
{
	int fd = open("/tmp/lock", O_RDWR | O_CREAT, 0600), ret = fd < 0 ? -2 : flock(fd, LOCK_EX | LOCK_NB);

	if (!ret)
		return fd;
	if (fd >= 0)
		close(fd);
	return ret;
}

static const char *verify(void)
{
	static unsigned seen;
	static char c;
	struct timespec now;
	struct utsname u;
	char text[8] = "";

	for (size_t i = 0; i < BYTES / sizeof(*memory); i++)
		if (memory[i] != pattern(i))
			return "memory";
	if (getpid() != self)
		return "pid";
	uname(&u);
	if (strcmp(u.nodename, names.nodename))
		return "host name";
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec < last.tv_sec || now.tv_sec > last.tv_sec + 60)
		return "monotonic clock";
	last = now;
	for (unsigned ms = 0; turns == seen; ms++) {
		if (ms == 30000)
			return "thread";
		usleep(1000);
	}
	seen = turns;
	text[0] = c;
	if (write(to_child, text, 1) != 1 || read(to_child, text + 1, 1) != 1 || text[1] != (char)(c + 1))
		return "child";
	c++;
	if (waitpid(child, NULL, WNOHANG) != 0)
		return "parent of the child";
	if (pread(shm, text, 7, 0) != 7 || memcmp(text, "content", 7))
		return "file";
	if (is_locked && try_lock() != -1)
		return "lock";
	return NULL;
}

static void report(unsigned n, const char *broken)
{
	char text[64];
	int fd = open("/tmp/report.new", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	snprintf(text, sizeof(text), broken ? "%u broken: %s\n" : "%u ok\n", n, broken);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		_exit(1);
	close(fd);
	rename("/tmp/report.new", "/tmp/report");
}

/* Answers what is there. */
static void answer(int *client, unsigned n)
{
	char line[256], text[300];
	ssize_t len;
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);

	if (fd >= 0) {
		close(*client);
		*client = fd;
	}
	len = *client < 0 ? -1 : recv(*client, line, sizeof(line) - 1, MSG_DONTWAIT);
	if (len == 0) {
		close(*client);
		*client = -1;
	}
	if (len <= 0)
		return;
	line[len] = 0;
	snprintf(text, sizeof(text), "%u %s", n, line);
	send(*client, text, strlen(text), MSG_NOSIGNAL);
}

/* With the size of the terminal. */
static void answer_terminal(unsigned n)
{
	struct winsize size = { 0 };
	char line[256];
	ssize_t len = read(STDIN_FILENO, line, sizeof(line) - 1);

	if (len <= 0)
		return;
	line[len] = 0;
	ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
	printf("%u %dx%d %s", n, size.ws_col, size.ws_row, line);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	const char *broken = NULL;
	int client = -1, terminal = isatty(STDIN_FILENO) ? STDIN_FILENO : -1;

	is_locked = argc > 1 && !strcmp(argv[1], "lock");
	if (begin() < 0 || (is_locked && try_lock() < 0)) {
		perror("guest");
		report(0, "begin");
		return 1;
	}
	fcntl(listener, F_SETFL, O_NONBLOCK);
	for (unsigned n = 1;; n++) {
		struct pollfd fds[] = {
			{ timer, POLLIN, 0 }, { listener, POLLIN, 0 }, { client, POLLIN, 0 }, { terminal, POLLIN, 0 }
		};
		uint64_t ticks;

		poll(fds, 4, -1);
		if (fds[3].revents)
			answer_terminal(n);
		if (fds[0].revents && read(timer, &ticks, sizeof(ticks)) != sizeof(ticks))
			broken = "timer";
		answer(&client, n);
		if (!broken)
			broken = verify();
		report(n, broken);
	}
}
