// SPDX-License-Identifier: GPL-2.0-only
/* The readers on the running kernel: they must return what was created here. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "kernel/device.h"
#include "kernel/fdinfo.h"
#include "features/features.h"
#include "kernel/kcmp.h"
#include "kernel/maps.h"
#include "kernel/mountinfo.h"
#include "kernel/pagemap_scan.h"
#include "util/fds.h"
#include "util_check.h"

static struct proc self;

static pid_t idle_child(void)
{
	pid_t pid = fork();

	if (!pid) {
		alarm(60);
		for (;;)
			pause();
	}
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void *idle_thread(void *arg)
{
	pthread_barrier_wait(arg);
	pthread_barrier_wait(arg);
	return NULL;
}

static void tree_is_listed(void)
{
	struct pid_array a = { 0 };
	pthread_barrier_t both;
	pthread_t t;
	pid_t pids[3];

	pthread_barrier_init(&both, NULL, 2);
	CHECK(!pthread_create(&t, NULL, idle_thread, &both));
	pthread_barrier_wait(&both);
	CHECK(!proc_threads(&self, &a) && a.n == 2 && a.v[0] == getpid() && a.v[1] > a.v[0]);
	_cleanup_proc_ struct proc thread = PROC_CLOSED;
	char comm[16];
	pthread_setname_np(t, "a (thread)");
	CHECK(!proc_open_thread(&self, a.v[1], &thread) && !proc_comm(&thread, comm));
	CHECK_STR(comm, "a (thread)");
	pthread_barrier_wait(&both);
	pthread_join(t, NULL);
	for (int i = 0; i < 3; i++)
		pids[i] = idle_child();
	a.n = 0;
	CHECK(!proc_children(&self, &a) && a.n == 3);
	for (int i = 0; i < 3; i++)
		CHECK(a.v[i] == pids[i]);
	_cleanup_proc_ struct proc p = PROC_CLOSED;
	CHECK(!proc_open(pids[1], &p));
	for (int i = 0; i < 3; i++)
		end(pids[i]);
	struct proc_stat st;
	a.n = 0;
	CHECK(proc_threads(&p, &a) < 0 && proc_stat_read(&p, &st) == -ESRCH && proc_children(&p, &a) < 0);
	CHECK(!proc_children(&self, &a) && !a.n && proc_open(pids[1], &p) == -ENOENT);
	array_free(&a);
}

static void process_is_described(void)
{
	struct proc_stat st;
	_cleanup_proc_status_ struct proc_status ss = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	umask(027);
	CHECK(!proc_stat_read(&self, &st) && !proc_status_read(&self, &ss));
	CHECK(st.pid == getpid() && st.ppid == getppid() && st.pgid == getpgrp() && st.sid == getsid(0));
	CHECK(!strcmp(st.comm, "kernel_live") && st.state == 'R' && st.start_stack && st.arg_start && st.env_end);
	CHECK(ss.pid == getpid() && ss.umask == 027 && ss.uid[0] == getuid() && ss.gid[1] == getegid() && ss.has_mm);
	CHECK((ss.sig_blocked & BIT(SIGUSR2 - 1)) && ss.levels >= 1 && ss.nspid[ss.levels - 1] == getpid());
	uint32_t v, ino;
	int adj;
	uint64_t filter;
	bool allowed;
	CHECK(!proc_oom_score_adj(&self, &adj));
	CHECK(!proc_coredump_filter(&self, &filter) && !proc_setgroups(&self, &allowed));
	int err = proc_loginuid(&self, &v);
	CHECK(!err || err == -ENOENT);
	struct stat s;
	CHECK(!stat("/proc/self/ns/mnt", &s) && !proc_ns_ino(&self, PROC_NS_MNT, &ino) && ino == s.st_ino);
	_cleanup_close_ int ns = proc_ns_open(&self, PROC_NS_UTS);
	CHECK(ns >= 0 && proc_ns_clone_flag(PROC_NS_UTS) == CLONE_NEWUTS);
	char exe[4096], mine[4096];
	ssize_t len = readlink("/proc/self/exe", mine, sizeof(mine) - 1);
	CHECK(len > 0 && proc_link(&self, "exe", exe, sizeof(exe)) == len && !memcmp(exe, mine, len));
}

static void timers_are_read(void)
{
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 1, .sigev_value.sival_int = 77 };
	struct proc_timers t = { 0 };
	timer_t id, id2;

	CHECK(!timer_create(CLOCK_MONOTONIC, &ev, &id));
	ev.sigev_notify = SIGEV_NONE;
	CHECK(!timer_create(CLOCK_REALTIME, &ev, &id2));
	int err = proc_timers_read(&self, &t);
	if (err == -ENOENT) /* CONFIG_CHECKPOINT_RESTORE is off */
		return;
	CHECK(!err && t.n == 2 && t.v[0].signal == SIGRTMIN + 1 && t.v[0].clock == CLOCK_MONOTONIC);
	CHECK((uint32_t)t.v[0].sigval == 77 && t.v[0].target == getpid() && t.v[1].notify == SIGEV_NONE);
	array_free(&t);
	timer_delete(id);
	timer_delete(id2);
}

static void map_is_read(void)
{
	_cleanup_maps_ struct maps m = { 0 };
	struct vma_flags_array f = { 0 };
	const char *name = "/tmp/kernel live\nmap";
	_cleanup_close_ int fd = open_at(AT_FDCWD, name, O_RDWR | O_CREAT, 0600);
	struct stat st;

	CHECK(fd >= 0 && !ftruncate(fd, 8 * PAGE_SZ) && !fstat(fd, &st));
	char *p = mmap(NULL, 3 * PAGE_SZ, PROT_READ, MAP_SHARED, fd, 2 * PAGE_SZ);
	char *big = mmap(NULL, 4 * PAGE_SZ, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
	madvise(big, 4 * PAGE_SZ, MADV_DONTFORK);
	CHECK(!maps_read(&self, &m) && m.n > 5);
	const struct kernel_vma *v = maps_find(&m, (uintptr_t)p);
	CHECK(v && v->start == (uintptr_t)p && v->end == v->start + 3 * PAGE_SZ && v->pgoff == 2 * PAGE_SZ);
	CHECK(v->ino == st.st_ino && v->shared && v->prot == PROT_READ &&
	      makedev(v->dev_major, v->dev_minor) == st.st_dev);
	CHECK_STR(v->name, name);
	maps_free(&m);
	CHECK(!smaps_read(&self, &m, &f) && m.n > 5 && f.n == m.n);
	for (size_t nr = 0; nr < m.n; nr++)
		CHECK(m.v[nr].start == f.v[nr].start && m.v[nr].end == f.v[nr].end);
	v = maps_find(&m, (uintptr_t)p);
	CHECK(v && v->ino == st.st_ino && v->shared && v->pgoff == 2 * PAGE_SZ);
	CHECK_STR(v->name, name);
	bool found = false;
	struct vma_flags *i;
	array_for_each(i, &f) {
		if (i->start > (uintptr_t)big || i->end <= (uintptr_t)big)
			continue;
		found = (i->flags & BIT(VMF_GD)) && (i->flags & BIT(VMF_DC)) && (i->flags & BIT(VMF_WR)) &&
			i->page_kb == 4;
	}
	CHECK(found);
	CHECK(!unlink(name));
	maps_free(&m);
	CHECK(!maps_read(&self, &m) && maps_find(&m, (uintptr_t)p)->deleted);
	CHECK_STR(maps_find(&m, (uintptr_t)p)->name, name);
	array_free(&f);
	munmap(p, 3 * PAGE_SZ);
	munmap(big, 4 * PAGE_SZ);
}

static bool same_regions(const struct page_regions *a, const struct page_regions *b)
{
	return a->n == b->n && !memcmp(a->v, b->v, a->n * sizeof(*a->v));
}

/* By page frame: two pages that were only read share it. */
static bool is_zero_page(volatile char *page)
{
	volatile char *other = mmap(NULL, PAGE_SZ, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t a = 0, b = 0;
	bool same;

	(void)other[0];
	same = pread(fd, &a, 8, (off_t)((uintptr_t)page / PAGE_SZ * 8)) == 8 &&
	       pread(fd, &b, 8, (off_t)((uintptr_t)other / PAGE_SZ * 8)) == 8 && (a & PM_PRESENT) &&
	       (a << 9) == (b << 9);
	close(fd);
	munmap((void *)other, PAGE_SZ);
	return same;
}

/* Two thousand separate ranges: more than one ioctl returns. */
static void pages_are_scanned(void)
{
	/* What a dump copies: private or shared, in memory or swapped out; neither the zero page nor a guard. */
	const struct page_want to_save = { .all = PAGE_PFNZERO | PAGE_GUARD,
					   .inverted = PAGE_PFNZERO | PAGE_GUARD,
					   .any = PAGE_PRESENT | PAGE_SWAPPED,
					   .report = PAGE_PRESENT | PAGE_SWAPPED | PAGE_FILE };
	_cleanup_page_scan_ struct page_scan pm = PAGE_SCAN_CLOSED;
	struct page_regions a = { 0 }, b = { 0 };
	const size_t islands = 2000, len = islands * 4 * PAGE_SZ;
	volatile char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct page_want present = { .any = PAGE_PRESENT | PAGE_SWAPPED,
				     .report = PAGE_PRESENT | PAGE_SWAPPED | PAGE_FILE };

	madvise((void *)p, len, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < islands; i++)
		p[i * 4 * PAGE_SZ] = p[i * 4 * PAGE_SZ + PAGE_SZ] = 1;
	CHECK(!page_scan_open(&self, &pm));
	CHECK(!page_scan_range(&pm, (uintptr_t)p, (uintptr_t)p + len, &present, &a) && a.n == islands);
	CHECK(a.v[7].start == (uintptr_t)p + 28 * PAGE_SZ && a.v[7].end == a.v[7].start + 2 * PAGE_SZ);
	CHECK(a.v[7].categories == PAGE_PRESENT);
	CHECK(!page_scan_by_reading(&pm, (uintptr_t)p, (uintptr_t)p + len, &present, &b) && same_regions(&a, &b));
	a.n = b.n = 0;
	(void)p[2 * PAGE_SZ]; /* on most kernels a read maps the zero page, on some a page of its own */
	CHECK(!page_scan_range(&pm, (uintptr_t)p, (uintptr_t)p + 4 * PAGE_SZ, &to_save, &a) && a.n == 1);
	if (pm.has_scan)
		CHECK(a.v[0].end == (uintptr_t)p + (is_zero_page(p + 2 * PAGE_SZ) ? 2 : 3) * PAGE_SZ);
	if (feature_has(FEATURE_GUARD_PAGES)) {
		a.n = 0;
		CHECK(!madvise((void *)(p + PAGE_SZ), PAGE_SZ, 102));
		CHECK(!page_scan_range(&pm, (uintptr_t)p, (uintptr_t)p + 4 * PAGE_SZ, &to_save, &a));
		CHECK(a.n == 1 && a.v[0].end == (uintptr_t)p + PAGE_SZ);
	}
	struct page_want protect = { .all = PAGE_WRITTEN, .report = PAGE_WRITTEN, .protect = true };
	CHECK(page_scan_range(&pm, (uintptr_t)p, (uintptr_t)p + len, &protect, &a) < 0);
	CHECK(page_scan_by_reading(&pm, (uintptr_t)p, (uintptr_t)p + len, &protect, &a) == -EOPNOTSUPP);
	uint64_t e[4];
	CHECK(!page_scan_entries(&pm, (uintptr_t)p, 4, e) && (e[0] & PM_PRESENT) && !(e[3] & PM_PRESENT));
	array_free(&a);
	array_free(&b);
	munmap((void *)p, len);
}

static const struct fdinfo_item *only_item(int fd, enum fdinfo_tag tag, struct fdinfo *f)
{
	fdinfo_free(f);
	return fdinfo_read(&self, fd, f) ? NULL : fdinfo_find(f, tag);
}

static void descriptors_are_described(void)
{
	_cleanup_fdinfo_ struct fdinfo f = { 0 };
	_cleanup_close_ int ev = eventfd(31, EFD_SEMAPHORE | EFD_NONBLOCK | EFD_CLOEXEC),
			    ep = epoll_create1(EPOLL_CLOEXEC);
	_cleanup_close_ int tfd = timerfd_create(CLOCK_BOOTTIME, 0), in = inotify_init1(0);
	_cleanup_close_ int pidfd = sys_pidfd_open(getpid(), 0), mem = memfd_create("x", MFD_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN | EPOLLET, .data.u64 = 0x123456789abcdef0 };
	struct itimerspec it = { .it_value.tv_sec = 1000, .it_interval = { 7, 8 } };
	const struct fdinfo_item *i;
	sigset_t set;

	CHECK((i = only_item(ev, FDINFO_EVENTFD, &f)) && i->eventfd.count == 31);
	CHECK(f.flags == (O_RDWR | O_NONBLOCK | O_CLOEXEC) && f.mnt_id >= 0);
	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, ev, &e) && (i = only_item(ep, FDINFO_EPOLL_TFD, &f)));
	CHECK(i->epoll.fd == ev && i->epoll.events == (e.events | EPOLLERR | EPOLLHUP) && i->epoll.data == e.data.u64);
	CHECK(!timerfd_settime(tfd, 0, &it, NULL) && (i = only_item(tfd, FDINFO_TIMERFD, &f)));
	CHECK(i->timerfd.clock == CLOCK_BOOTTIME && i->timerfd.interval_sec == 7 && i->timerfd.interval_nsec == 8);
	CHECK(i->timerfd.value_sec > 900 && !i->timerfd.ticks);
	int wd = inotify_add_watch(in, "/tmp", IN_CREATE | IN_DELETE);
	struct stat st;
	CHECK(wd >= 0 && !stat("/tmp", &st) && (i = only_item(in, FDINFO_INOTIFY_WD, &f)) && i->inotify.wd == wd);
	CHECK(i->inotify.ino == st.st_ino && i->inotify.sdev == dev_to_kdev(st.st_dev));
	CHECK((i->inotify.mask & (IN_CREATE | IN_DELETE)) == (IN_CREATE | IN_DELETE));
	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	_cleanup_close_ int sig = signalfd(-1, &set, SFD_CLOEXEC);
	CHECK((i = only_item(sig, FDINFO_SIGNALFD, &f)) && i->signal_mask == 1);
	CHECK((i = only_item(pidfd, FDINFO_PIDFD, &f)) && i->pidfd.pid == getpid() && i->pidfd.levels >= 1);
	CHECK(!flock(mem, LOCK_SH) && lseek(mem, 5, SEEK_SET) == 5 && (i = only_item(mem, FDINFO_LOCK, &f)));
	CHECK(i->lock.kind == LOCK_KIND_FLOCK && i->lock.type == LOCK_TYPE_READ && f.pos == 5);
	_cleanup_close_ int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | 1);
	if (uffd >= 0)
		CHECK((i = only_item(uffd, FDINFO_UFFD, &f)) && !i->uffd.total && !i->uffd.features && i->uffd.known);
	struct file_locks l = { 0 };
	CHECK(!locks_read(&l) && l.n >= 1);
	array_free(&l);
	struct int_array fds = { 0 };
	CHECK(!proc_fds(&self, &fds) && fds.n >= 8);
	for (size_t n = 1; n < fds.n; n++)
		CHECK(fds.v[n] > fds.v[n - 1]);
	array_free(&fds);
	CHECK(fdinfo_read(&self, 9999, &f) == -ENOENT);
}

static void mounts_are_read(void)
{
	_cleanup_mountinfo_ struct mountinfo m = { 0 };
	_cleanup_fdinfo_ struct fdinfo f = { 0 };
	_cleanup_close_ int fd = open_at(AT_FDCWD, "/proc", O_PATH, 0);

	CHECK(!mountinfo_read(&self, &m) && m.n && !fdinfo_read(&self, fd, &f));
	const struct mount_info *i = mountinfo_find(&m, f.mnt_id);
	CHECK(i);
	CHECK_STR(i->fstype, "proc");
	CHECK_STR(i->mountpoint, "/proc");
}

/* Every number is looked up twice, once through a duplicate in another process, as if all files had the same hash. */
static void shared_files_get_one_number(void)
{
	struct kcmp_set one_hash = { .what = KCMP_WHAT_FILE }, hashed = { .what = KCMP_WHAT_FILE };
	struct kcmp_found found;
	enum { N = 300 };
	int fds[N];

	for (int i = 0; i < N; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	pid_t child = idle_child();
	for (int i = 0; i < N; i++) {
		CHECK(!kcmp_set_id(&one_hash, 7, getpid(), fds[i], &found) && found.fresh &&
		      found.id == (uint32_t)i + 1);
		CHECK(!kcmp_set_id(&hashed, i, getpid(), fds[i], &found) && found.fresh && found.id == (uint32_t)i + 1);
	}
	for (int i = N - 1; i >= 0; i--) {
		CHECK(!kcmp_set_id(&one_hash, 7, child, fds[i], &found) && !found.fresh && found.id == (uint32_t)i + 1);
		CHECK(found.pid == getpid() && found.fd == fds[i]);
		CHECK(!kcmp_set_id(&hashed, i, child, fds[i], &found) && !found.fresh && found.id == (uint32_t)i + 1);
	}
	CHECK(kcmp_set_id(&one_hash, 7, child, 9999, &found) == -EBADF);
	struct kcmp_set vm = { .what = KCMP_WHAT_VM };
	CHECK(!kcmp_set_id(&vm, 0, getpid(), -1, &found) && found.id == 1);
	CHECK(!kcmp_set_id(&vm, 0, child, -1, &found) && found.id == 2);
	CHECK(!kcmp_set_id(&vm, 0, getpid(), -1, &found) && found.id == 1 && !found.fresh);
	kcmp_set_free(&vm);
	kcmp_set_free(&one_hash);
	kcmp_set_free(&hashed);
	end(child);
	for (int i = 0; i < N; i++)
		close(fds[i]);
}

/* Depth: 100,000 different hashes in a bad order must not take long. */
static void kcmp_set_remains_balanced(void)
{
	struct kcmp_set set = { .what = KCMP_WHAT_FILE };
	struct kcmp_found found;

	for (uint64_t i = 0; i < 100000; i++)
		CHECK(!kcmp_set_id(&set, i, 1, 1, &found) && found.fresh);
	for (uint64_t i = 0; i < 100000; i++)
		CHECK(!kcmp_set_id(&set, i, 1, 1, &found) && found.id == i + 1);
	kcmp_set_free(&set);
}

static void epoll_targets_are_distinguished(void)
{
	_cleanup_close_ int ep = epoll_create1(EPOLL_CLOEXEC), a = eventfd(0, EFD_CLOEXEC), b = eventfd(0, EFD_CLOEXEC);
	struct epoll_event e = { .events = EPOLLIN };
	pid_t pid = getpid();

	CHECK(!epoll_ctl(ep, EPOLL_CTL_ADD, a, &e));
	CHECK(sys_kcmp_epoll_tfd(pid, a, ep, a, 0) == 0 && sys_kcmp_epoll_tfd(pid, b, ep, a, 0) > 0);
	CHECK(sys_kcmp_epoll_tfd(pid, b, ep, b, 0) == -ENOENT);
}

static void every_feature_answers(void)
{
	enum feature found;

	for (int i = 0; i < FEATURE_COUNT; i++) {
		const struct feature_info *f = feature_info(i);
		CHECK(f->name && f->text && !feature_by_name(f->name, &found) && (int)found == i);
		int answer = feature_probe(i);
		CHECK(answer <= 1 && answer == feature_probe(i) && feature_has(i) == (answer == 1));
		printf("# %s %s\n", f->name, answer == 1 ? "yes" : !answer ? "no" : strerror(-answer));
	}
	CHECK(feature_by_name("no such", &found) == -ENOENT);
	struct pid_array left = { 0 };
	CHECK(!proc_children(&self, &left) && !left.n);
}

int main(void)
{
	struct int_array before = { 0 }, after = { 0 };

	if (proc_open(getpid(), &self) || proc_fds(&self, &before))
		return 1;
	RUN(tree_is_listed);
	RUN(process_is_described);
	RUN(timers_are_read);
	RUN(map_is_read);
	RUN(pages_are_scanned);
	RUN(descriptors_are_described);
	RUN(mounts_are_read);
	RUN(shared_files_get_one_number);
	RUN(kcmp_set_remains_balanced);
	RUN(epoll_targets_are_distinguished);
	RUN(every_feature_answers);
	if (proc_fds(&self, &after) || after.n != before.n) {
		printf("not ok no_descriptor_is_left: %zu, then %zu\n", before.n, after.n);
		check_failed_total++;
	}
	array_free(&before);
	array_free(&after);
	proc_close(&self);
	DONE();
}
