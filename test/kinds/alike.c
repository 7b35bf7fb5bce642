// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many processes that are alike, as forked, except for one attribute each: each of them is restored with its own
 * attribute, and with all others like the rest. (dump/alike.c queries only some of them.)
 * test: breaks=2
 */
#include "checkpoint.h"
#include <linux/mempolicy.h>
#include <linux/membarrier.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#define FDS 12
#define PLAIN 4 /* these change nothing */

#ifndef PR_GET_MDWE
#define PR_SET_MDWE 65
#define PR_GET_MDWE 66
#endif

static char *mapped, *policed, *of_file;
static char stack[65536];

/* ---- what each of them changes ---- */

static void on_signal(int sig)
{
}

static void lower_limit(void)
{
	struct rlimit lim;

	getrlimit(RLIMIT_CORE, &lim);
	lim.rlim_cur = lim.rlim_max < 4096 ? lim.rlim_max : 4096;
	need(!setrlimit(RLIMIT_CORE, &lim), "limit");
}

static void set_slack(void)
{
	need(!prctl(PR_SET_TIMERSLACK, 12345ul), "timer slack");
}

static void set_pdeath(void)
{
	need(!prctl(PR_SET_PDEATHSIG, SIGUSR2), "pdeath");
}

static void be_undumpable(void)
{
	need(!prctl(PR_SET_DUMPABLE, 0), "dumpable");
}

static void set_stack(void)
{
	need(!sigaltstack(&(stack_t){ .ss_sp = stack, .ss_size = sizeof(stack) }, NULL), "sigaltstack");
}

static void set_handler(void)
{
	struct sigaction act = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_NODEFER };

	sigaddset(&act.sa_mask, SIGHUP);
	need(!sigaction(SIGUSR1, &act, NULL), "sigaction");
}

static void ignore_signal(void)
{
	need(signal(SIGUSR1, SIG_IGN) != SIG_ERR, "signal");
}

static void set_chld(void)
{
	need(!sigaction(SIGCHLD, &(struct sigaction){ .sa_flags = SA_NOCLDWAIT }, NULL), "sigaction");
}

static void be_subreaper(void)
{
	need(!prctl(PR_SET_CHILD_SUBREAPER, 1), "subreaper");
}

static void keep_caps(void)
{
	need(!prctl(PR_SET_KEEPCAPS, 1), "keep caps");
}

static void set_itimer(void)
{
	need(!setitimer(ITIMER_REAL, &(struct itimerval){ { 0, 0 }, { 100000, 0 } }, NULL), "setitimer");
}

static void set_profile_timer(void)
{
	need(!setitimer(ITIMER_PROF, &(struct itimerval){ { 5000, 0 }, { 100000, 0 } }, NULL), "setitimer");
}

static void make_timer(void)
{
	struct sigevent none = { .sigev_notify = SIGEV_NONE };
	timer_t id;

	need(!timer_create(CLOCK_MONOTONIC, &none, &id), "timer_create");
	need(!timer_settime(id, 0, &(struct itimerspec){ { 0, 0 }, { 100000, 0 } }, NULL), "timer_settime");
}

static void close_on_exec(void)
{
	need(!fcntl(8, F_SETFD, FD_CLOEXEC), "fcntl");
}

static void close_one(void)
{
	need(!close(8), "close");
}

static void open_another(void)
{
	need(open("/dev/null", O_RDONLY) == 9, "open");
}

static void replace_one(void)
{
	need(dup2(9, 8) < 0 && !close(8) && open("/dev/null", O_WRONLY) == 8, "open");
}

static void grow_heap(void)
{
	need(sbrk(1 << 20) != (void *)-1, "sbrk");
}

static void set_personality(void)
{
	need(personality(ADDR_NO_RANDOMIZE) != -1, "personality");
}

static void protect(void)
{
	need(!mprotect(mapped, 4096, PROT_READ), "mprotect");
}

static void unmap(void)
{
	need(!munmap(mapped + 8192, 4096), "munmap");
}

static void advise(void)
{
	need(!madvise(mapped, 16384, MADV_DONTFORK), "madvise");
}

static void set_policy(void)
{
	unsigned long nodes = 1;

	if (syscall(SYS_mbind, policed, 16384, MPOL_BIND, &nodes, 64, 0) && errno != ENOSYS)
		need(0, "mbind: %s", strerror(errno));
}

/* That of the file: it applies to later mappings, too, and only the file has it. */
static void set_file_policy(void)
{
	int fd = memfd_create("policy", MFD_CLOEXEC);
	unsigned long nodes = 1;
	char *first;

	need(fd >= 0 && !ftruncate(fd, 16384), "memfd");
	first = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	need(first != MAP_FAILED, "mmap");
	if (syscall(SYS_mbind, first, 16384, MPOL_BIND, &nodes, 64, 0) && errno != ENOSYS)
		need(0, "mbind: %s", strerror(errno));
	of_file = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	need(of_file != MAP_FAILED && !munmap(first, 16384) && !close(fd), "map it again");
}

static void set_own_policy(void)
{
	unsigned long nodes = 1;

	if (syscall(SYS_set_mempolicy, MPOL_PREFERRED, &nodes, 64) && errno != ENOSYS)
		need(0, "set_mempolicy: %s", strerror(errno));
}

static void lock_what_comes(void)
{
	need(!mlockall(MCL_FUTURE), "mlockall");
}

static void without_thp(void)
{
	need(!prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), "THP");
}

static void go_elsewhere(void)
{
	need(!chdir("/"), "chdir");
}

static void set_umask(void)
{
	umask(0123);
}

static void set_oom(void)
{
	write_file("/proc/self/oom_score_adj", "123");
}

static void set_filter(void)
{
	write_file("/proc/self/coredump_filter", "0x11");
}

static void be_nice(void)
{
	need(!setpriority(PRIO_PROCESS, 0, 7), "setpriority");
}

static void register_barrier(void)
{
	need(!syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0), "membarrier");
}

static void deny_write_exec(void)
{
	if (prctl(PR_SET_MDWE, 1ul, 0, 0, 0))
		need(errno == EINVAL, "MDWE");
}

static void set_io_priority(void)
{
	need(!syscall(SYS_ioprio_set, 1, 0, 2 << 13 | 6), "ioprio_set");
}

static void (*const changes[])(void) = {
	lower_limit,   set_slack,	set_pdeath,	  be_undumpable,   set_stack,	      set_handler,
	ignore_signal, set_chld,	be_subreaper,	  keep_caps,	   set_itimer,	      make_timer,
	close_on_exec, close_one,	open_another,	  replace_one,	   grow_heap,	      set_personality,
	protect,       unmap,		advise,		  set_policy,	   set_file_policy,   set_own_policy,
	without_thp,   lock_what_comes, go_elsewhere,	  set_umask,	   set_oom,	      set_filter,
	be_nice,       set_io_priority, register_barrier, deny_write_exec, set_profile_timer,
};

/* ---- what all of them check ---- */

struct self {
	struct rlimit limits[RLIM_NLIMITS];
	unsigned long actions[NSIG][4]; /* in the format of the kernel */
	stack_t stack;
	struct {
		dev_t dev;
		ino_t ino;
		int flags, fdflags;
	} fds[FDS];
	ino_t cwd;
	mode_t umask;
	long values[12];
	int policy, timers[3];
	unsigned long pages[8];
	void *brk;
	char oom[16], filter[16], posix[16];
};

static void read_text(const char *path, char *to, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, to, size - 1);

	to[n > 0 ? n : 0] = 0;
	if (fd >= 0)
		close(fd);
}

static void look_at_fds(struct self *s)
{
	struct stat st;

	for (int fd = 0; fd < FDS; fd++) {
		s->fds[fd].flags = fcntl(fd, F_GETFL);
		s->fds[fd].fdflags = fcntl(fd, F_GETFD);
		if (fstat(fd, &st))
			continue;
		s->fds[fd].dev = st.st_dev;
		s->fds[fd].ino = st.st_ino;
	}
}

static int pdeath(void)
{
	int sig = -1;

	prctl(PR_GET_PDEATHSIG, &sig);
	return sig;
}

static int subreaper(void)
{
	int is = -1;

	prctl(PR_GET_CHILD_SUBREAPER, &is);
	return is;
}

/* For three pages: their protection, found by accessing them; policy of a mapping. */
static void look_at_memory(struct self *s)
{
	static char text[1 << 16];
	char line[64], *at;
	unsigned long end;
	char prot[8];
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC), mode = -1;
	ssize_t n, len = 0;

	while ((n = read(fd, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
		len += n;
	close(fd);
	text[len] = 0;
	for (int page = 0; page < 4; page++) {
		snprintf(line, sizeof(line), "%lx-", (unsigned long)mapped + 4096ul * (unsigned)page);
		at = strstr(text, line);
		if (at && sscanf(at + strlen(line), "%lx %4s", &end, prot) == 2)
			s->pages[page] = end ^ (unsigned long)prot[1] << 56;
	}
	syscall(SYS_get_mempolicy, &mode, NULL, 0, policed, MPOL_F_ADDR);
	s->pages[4] = (unsigned long)mode;
	mode = -1;
	if (of_file)
		syscall(SYS_get_mempolicy, &mode, NULL, 0, of_file, MPOL_F_ADDR);
	s->pages[5] = (unsigned long)mode;
	mode = -1;
	syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0);
	s->policy = mode;
}

static void look(struct self *s)
{
	struct itimerval it;
	struct stat st;
	long *v = s->values;

	memset(s, 0, sizeof(*s));
	for (int i = 0; i < (int)RLIM_NLIMITS; i++)
		getrlimit(i, &s->limits[i]);
	for (int sig = 1; sig < NSIG; sig++)
		syscall(SYS_rt_sigaction, sig, NULL, s->actions[sig], 8);
	sigaltstack(NULL, &s->stack);
	look_at_fds(s);
	stat(".", &st);
	s->cwd = st.st_ino;
	s->umask = umask(0);
	umask(s->umask);
	*v++ = prctl(PR_GET_TIMERSLACK);
	*v++ = prctl(PR_GET_DUMPABLE);
	*v++ = prctl(PR_GET_KEEPCAPS);
	*v++ = prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0);
	*v++ = prctl(PR_GET_MDWE, 0, 0, 0, 0);
	*v++ = pdeath();
	*v++ = subreaper();
	*v++ = personality(0xffffffff);
	*v++ = getpriority(PRIO_PROCESS, 0);
	*v++ = syscall(SYS_ioprio_get, 1, 0);
	*v++ = syscall(SYS_membarrier, 1 << 9, 0, 0);
	for (int i = 0; i < 3; i++)
		s->timers[i] = !getitimer(i, &it) && it.it_value.tv_sec > 1000;
	look_at_memory(s);
	s->brk = sbrk(0);
	read_text("/proc/self/oom_score_adj", s->oom, sizeof(s->oom));
	read_text("/proc/self/coredump_filter", s->filter, sizeof(s->filter));
	read_text("/proc/self/timers", s->posix, sizeof("ID: 0"));
}

/* Are new mappings locked? */
static bool locks_what_comes(void)
{
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool locked = madvise(page, 4096, MADV_DONTNEED) && errno == EINVAL;

	munmap(page, 4096);
	return locked;
}

static int child(void *arg)
{
	size_t nr = (size_t)arg;
	void (*change)(void) = nr < PLAIN ? NULL : changes[nr - PLAIN];
	static struct self before, after;
	char name[32];

	if (change)
		change();
	look(&before);
	snprintf(name, sizeof(name), "child%zu", nr);
	checkpoint_task(name, 0);
	if (test_break() == 1 && nr == 0)
		lower_limit();
	if (test_break() == 2 && nr == 5)
		set_handler();
	look(&after);
	check(!memcmp(before.limits, after.limits, sizeof(before.limits)), "%s: limits", name);
	check(!memcmp(before.actions, after.actions, sizeof(before.actions)), "%s: handlers", name);
	check(!memcmp(&before.stack, &after.stack, sizeof(before.stack)), "%s: alternate stack", name);
	check(!memcmp(before.fds, after.fds, sizeof(before.fds)), "%s: descriptors", name);
	check(before.cwd == after.cwd && before.umask == after.umask, "%s: directory, umask", name);
	for (size_t i = 0; i < sizeof(before.values) / sizeof(before.values[0]); i++)
		check(before.values[i] == after.values[i], "%s: value %zu is %lx, was %lx", name, i, after.values[i],
		      before.values[i]);
	check(!memcmp(before.timers, after.timers, sizeof(before.timers)) && !strcmp(before.posix, after.posix),
	      "%s: timers", name);
	check(!memcmp(before.pages, after.pages, sizeof(before.pages)), "%s: mappings", name);
	check(before.policy == after.policy && before.brk == after.brk, "%s: policy, heap", name);
	check(!strcmp(before.oom, after.oom) && !strcmp(before.filter, after.filter), "%s: oom %s, filter %s", name,
	      after.oom, after.filter);
	check(locks_what_comes() == (change == lock_what_comes), "%s: locks what it maps", name);
	return 0;
}

#define CHILDREN (PLAIN + sizeof(changes) / sizeof(changes[0]))

int main(int argc, char **argv)
{
	pid_t pids[CHILDREN];
	char name[32];

	test_init(argc, argv);
	mapped = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	policed = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(mapped != MAP_FAILED && policed != MAP_FAILED, "mmap");
	need(!mprotect(policed, 4096, PROT_READ), "mprotect");
	memset(mapped, 7, 16384);
	for (int fd = 3; fd < 9; fd++)
		need(dup2(open("/dev/zero", O_RDONLY), fd) == fd, "descriptor %d", fd);
	closefrom(9);
	for (size_t i = 0; i < CHILDREN; i++)
		pids[i] = fork_task(child, (void *)i);
	for (size_t i = 0; i < CHILDREN; i++) {
		snprintf(name, sizeof(name), "child%zu", i);
		await_task(name);
	}
	checkpoint_here();
	for (size_t i = 0; i < CHILDREN; i++)
		join_task(pids[i]);
	test_done();
}
