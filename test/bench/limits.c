/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The best that this machine can do, as the reference for `make bench`. Prints seconds.
 *	limits exec COUNT           fork+exec+wait of /bin/true, COUNT times, the median
 *	limits fork COUNT           COUNT children that wait, then their end
 *	limits threads COUNT        a process that makes COUNT threads, which wait, and its end
 *	limits copy FILE MIB        so much random memory into a fresh FILE by two threads
 *	limits send FILE MIB        so much random memory over a TCP connection on this host, whose other end writes it to a
 *	                            fresh FILE; "-": discards it
 *	limits warm MIB             use so much memory and free it: in a virtual machine the host may have reclaimed
 *	                            free memory, and its next user (we or the tool) has to wait for that
 *	limits fill FILE MIB        so much fresh anonymous memory from a cached FILE: huge pages, one reader or two
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HUGE (2ul << 20)
#define STEP (1ul << 20)

struct part {
	int fd;
	char *mem;
	size_t start, end;
	int fill;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec * 1e-9;
}

static void *work(void *arg)
{
	const struct part *p = arg;

	for (size_t at = p->start; at < p->end; at += STEP) {
		ssize_t n = p->fill ? pread(p->fd, p->mem + at, STEP, at) : pwrite(p->fd, p->mem + at, STEP, at);

		if (n != (ssize_t)STEP) {
			perror("copy");
			exit(1);
		}
	}
	return NULL;
}

static char *map_huge(size_t len)
{
	char *map = mmap(NULL, len + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (map == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	map = (char *)(((uintptr_t)map + HUGE - 1) & ~(HUGE - 1));
	madvise(map, len, MADV_HUGEPAGE);
	return map;
}

static void run(int fd, char *mem, size_t len, int fill, int nr)
{
	struct part part[2];
	pthread_t thread[2];

	for (int i = 0; i < nr; i++) {
		part[i] = (struct part){ fd, mem, len / nr * i, len / nr * (i + 1), fill };
		if (pthread_create(&thread[i], NULL, work, &part[i]))
			exit(1);
	}
	for (int i = 0; i < nr; i++)
		pthread_join(thread[i], NULL);
}

static void fill_random(char *mem, size_t len)
{
	uint64_t *p = (void *)mem, x = 88172645463325252ull;

	for (size_t i = 0; i < len / sizeof(*p); i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = x;
	}
}

static double copy(const char *name, size_t len)
{
	char *mem = map_huge(len);
	double best = 1e9;

	fill_random(mem, len);
	/* With preallocated and with growing space: the better result counts. */
	for (int preallocate = 0; preallocate < 2; preallocate++) {
		double start = now(), took;
		int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

		if (fd < 0)
			exit(1);
		if (preallocate && fallocate(fd, 0, 0, len))
			break;
		run(fd, mem, len, 0, 2);
		close(fd);
		took = now() - start;
		best = took < best ? took : best;
		if (!preallocate)
			unlink(name);
	}
	return best;
}

static double fill(const char *name, size_t len)
{
	int fd = open(name, O_RDONLY);
	double best = 1e9;

	if (fd < 0)
		exit(1);
	for (int nr = 1; nr <= 2; nr++) {
		double start = now(), took;
		char *mem = map_huge(len);

		run(fd, mem, len, 1, nr);
		took = now() - start;
		munmap(mem, len);
		best = took < best ? took : best;
	}
	return best;
}

static double warm(size_t len)
{
	double start = now();
	char *mem = map_huge(len);

	for (size_t at = 0; at < len; at += 4096)
		mem[at] = 1;
	munmap(mem, len);
	return now() - start;
}

static int cmp(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double exec_true(int count)
{
	double *took = calloc(count, sizeof(*took)), median;

	for (int i = 0; took && i < count; i++) {
		double start = now();
		pid_t pid = fork();

		if (!pid) {
			execl("/bin/true", "true", (char *)NULL);
			_exit(127);
		}
		waitpid(pid, NULL, 0);
		took[i] = now() - start;
	}
	qsort(took, count, sizeof(*took), cmp);
	median = took[count / 2];
	free(took);
	return median;
}

static double fork_many(int count)
{
	pid_t *pids = calloc(count, sizeof(*pids));
	double start = now();

	for (int i = 0; pids && i < count; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			exit(1);
		if (!pids[i])
			for (;;)
				pause();
	}
	for (int i = 0; pids && i < count; i++)
		kill(pids[i], SIGKILL);
	for (int i = 0; pids && i < count; i++)
		waitpid(pids[i], NULL, 0);
	free(pids);
	return now() - start;
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return arg;
}

static double threads_many(int count)
{
	double start = now();
	int ready[2];
	pid_t pid;
	char c;

	if (pipe(ready))
		exit(1);
	pid = fork();
	if (!pid) {
		pthread_attr_t attr;
		pthread_t thread;

		pthread_attr_init(&attr);
		pthread_attr_setstacksize(&attr, 64 << 10);
		for (int i = 0; i < count; i++)
			if (pthread_create(&thread, &attr, sleeper, NULL))
				_exit(1);
		if (write(ready[1], "r", 1) == 1)
			sleeper(NULL);
		_exit(1);
	}
	close(ready[1]);
	if (pid < 0 || read(ready[0], &c, 1) != 1)
		exit(1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return now() - start;
}

static void receive(int listener, int file, size_t len)
{
	char *buffer = map_huge(STEP);
	int sock = accept(listener, NULL, NULL);
	ssize_t n;

	for (size_t at = 0; at < len; at += n) {
		n = recv(sock, buffer, STEP, 0);
		if (n <= 0 || (file >= 0 && pwrite(file, buffer, n, at) != n))
			_exit(1);
	}
	_exit(write(sock, "r", 1) != 1);
}

/* Its time ends with the answer that everything has been written. */
static double send_over(const char *name, size_t len)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM, 0), sock = socket(AF_INET, SOCK_STREAM, 0);
	int file = strcmp(name, "-") ? open(name, O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;
	socklen_t size = sizeof(address);
	char *mem = map_huge(len), c;
	double start;
	pid_t pid;

	fill_random(mem, len);
	if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&address, &size))
		exit(1);
	pid = fork();
	if (!pid)
		receive(listener, file, len);
	if (pid < 0 || connect(sock, (struct sockaddr *)&address, size))
		exit(1);
	start = now();
	for (size_t at = 0; at < len; at += STEP)
		if (send(sock, mem + at, STEP, 0) != (ssize_t)STEP)
			exit(1);
	if (read(sock, &c, 1) != 1)
		exit(1);
	start = now() - start;
	waitpid(pid, NULL, 0);
	return start;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "exec"))
		printf("%.9f\n", exec_true(atoi(argv[2])));
	else if (argc == 3 && !strcmp(argv[1], "fork"))
		printf("%.9f\n", fork_many(atoi(argv[2])));
	else if (argc == 3 && !strcmp(argv[1], "threads"))
		printf("%.9f\n", threads_many(atoi(argv[2])));
	else if (argc == 3 && !strcmp(argv[1], "warm"))
		printf("%.9f\n", warm((size_t)atol(argv[2]) << 20));
	else if (argc == 4 && !strcmp(argv[1], "copy"))
		printf("%.9f\n", copy(argv[2], (size_t)atol(argv[3]) << 20));
	else if (argc == 4 && !strcmp(argv[1], "send"))
		printf("%.9f\n", send_over(argv[2], (size_t)atol(argv[3]) << 20));
	else if (argc == 4 && !strcmp(argv[1], "fill"))
		printf("%.9f\n", fill(argv[2], (size_t)atol(argv[3]) << 20));
	else
		return 2;
	return 0;
}
