// SPDX-License-Identifier: GPL-2.0-only
/*
 * A program for test/fuzz/incremental that changes its memory in all ways that there are, at random, and keeps a record of what it has
 * to be: in a file that is mapped shared, so that it does not depend on what a dump saves.
 *
 *	memory_changes RECORD DATA SEED
 *
 * Up to three processes: the root and children that it forks. RECORD starts with a command and a number: each process executes
 * every command once (a number of changes, or a comparison of all its memory with the record) and acknowledges the number.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PG 4096ul
#define WORDS (PG / sizeof(uint32_t))
#define ARENA ((char *)0x10000000000ul)
#define ARENA_PAGES 4096u
#define FILE_PAGES 256u
#define SHARED_PAGES 64u
#define HEAP_PAGES 128u
#define STACK_PAGES 24u
#define ACTORS 3

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#define MADV_GUARD_REMOVE 103
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

enum kind { NONE, ANON, FROM_FILE };
enum { GUARD = 1, OWN = 2, MAY_BE_ZERO = 4 };

/* What a page has to be: @touch in its first word, a pattern of @seed in the others; all zero: never written. */
struct page {
	uint8_t kind, flags;
	uint16_t file_page;
	uint32_t seed, touch;
};

struct actor {
	_Atomic int pid; /* 0: free */
	_Atomic uint32_t done;
	uint32_t random, heap_pages;
	struct page arena[ARENA_PAGES], heap[HEAP_PAGES], stack[STACK_PAGES];
};

enum command { CHANGE, COMPARE, FORK, END };

static struct record {
	_Atomic uint32_t number;
	uint32_t command, count;
	_Atomic uint32_t failed;
	char text[256];
	_Atomic uint32_t lock;
	uint32_t last_seed;
	uint32_t file_pages; /* length of DATA */
	struct page file[FILE_PAGES], shared[SHARED_PAGES];
	struct actor actors[ACTORS];
} * rec;

static struct actor *me;
static char *shared, *heap, *stack;
static int data_fd;
static uint32_t pattern[WORDS];

static void failed(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (!atomic_exchange(&rec->failed, 1))
		vsnprintf(rec->text, sizeof(rec->text), fmt, ap);
	va_end(ap);
}

static uint32_t rnd(uint32_t below)
{
	me->random ^= me->random << 13;
	me->random ^= me->random >> 17;
	me->random ^= me->random << 5;
	return me->random % below;
}

static void pause_us(long us)
{
	struct timespec ts = { 0, us * 1000 };

	nanosleep(&ts, NULL);
}

static void lock(void)
{
	uint32_t free_lock = 0;

	while (!atomic_compare_exchange_weak(&rec->lock, &free_lock, 1)) {
		free_lock = 0;
		pause_us(50);
	}
}

static void unlock(void)
{
	atomic_store(&rec->lock, 0);
}

static void fill(uint32_t *to, uint32_t seed, uint32_t touch)
{
	for (uint32_t i = 0; i < WORDS; i++)
		to[i] = seed ? seed * 2654435761u + i * 40503u + 1 : 0;
	to[0] = touch;
}

static char *at(uint32_t i)
{
	return ARENA + i * PG;
}

/* ---- writing, in all ways */

static void write_page(struct page *p, char *to)
{
	struct iovec from = { pattern, PG }, into = { to, PG };
	int mem;

	p->seed = ++rec->last_seed;
	p->touch = rnd(1u << 30);
	p->flags = (uint8_t)((p->flags & ~MAY_BE_ZERO) | OWN);
	fill(pattern, p->seed, p->touch);
	switch (rnd(4)) {
	case 0:
		if (process_vm_writev(getpid(), &from, 1, &into, 1, 0) != (ssize_t)PG)
			memcpy(to, pattern, PG);
		return;
	case 1:
		mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC);
		if (mem < 0 || pwrite(mem, pattern, PG, (off_t)(uintptr_t)to) != (ssize_t)PG)
			failed("write through /proc/self/mem: %d", errno);
		close(mem);
		return;
	case 2: {
		int pipefd[2];

		if (pipe2(pipefd, O_CLOEXEC) || write(pipefd[1], pattern, PG) != (ssize_t)PG ||
		    read(pipefd[0], to, PG) != (ssize_t)PG)
			failed("read(2) into memory: %d", errno);
		close(pipefd[0]);
		close(pipefd[1]);
		return;
	}
	default:
		memcpy(to, pattern, PG);
	}
}

static void touch_page(struct page *p, char *to)
{
	p->touch = rnd(1u << 30);
	if (p->kind == FROM_FILE && !(p->flags & OWN))
		p->seed = rec->file[p->file_page].seed;
	if (p->flags & MAY_BE_ZERO) {
		/* It decides itself what it is. */
		p->seed = *(volatile uint32_t *)(to + 4) ? p->seed : 0;
	}
	p->flags = (uint8_t)((p->flags & ~MAY_BE_ZERO) | OWN);
	*(volatile uint32_t *)to = p->touch;
	/* A page that was going to be freed may have been replaced between the two. */
	if (!*(volatile uint32_t *)(to + 4))
		p->seed = 0;
}

static bool is_writable(uint32_t i)
{
	const struct page *p = &me->arena[i];

	return p->kind != NONE && !(p->flags & GUARD) && (p->kind != FROM_FILE || p->file_page < rec->file_pages);
}

/* The arena is always readable and writable when a change begins, but for guards. */
static void change_page(struct page *p, char *to)
{
	if (rnd(2))
		write_page(p, to);
	else
		touch_page(p, to);
}

/* ---- mappings */

static uint32_t some(uint32_t *from, uint32_t most)
{
	uint32_t n = 1 + rnd(most);

	*from = rnd(ARENA_PAGES - n);
	return n;
}

static void map_some(void)
{
	uint32_t from, n = some(&from, 64), first = rnd(FILE_PAGES - 64);
	bool of_file = rnd(4) == 0;
	void *got =
		mmap(at(from), n * PG, PROT_READ | PROT_WRITE, MAP_FIXED | MAP_PRIVATE | (of_file ? 0 : MAP_ANONYMOUS),
		     of_file ? data_fd : -1, of_file ? (off_t)(first * PG) : 0);

	if (got != at(from))
		return failed("mmap: %d", errno);
	for (uint32_t i = 0; i < n; i++)
		me->arena[from + i] =
			(struct page){ .kind = of_file ? FROM_FILE : ANON, .file_page = (uint16_t)(first + i) };
}

static void unmap_some(void)
{
	uint32_t from, n = some(&from, 24);

	munmap(at(from), n * PG);
	memset(&me->arena[from], 0, n * sizeof(struct page));
}

/* Within one mapping: those across a border are refused by the kernel, or (Linux 6.17) may be moved in part. */
static void move_some(void)
{
	uint32_t from, n = some(&from, 8), to;
	struct page moved[8];

	to = rnd(ARENA_PAGES - n);
	if (to < from + n && from < to + n)
		return;
	for (uint32_t i = 0; i < n; i++)
		if (me->arena[from + i].kind == NONE || me->arena[from + i].kind != me->arena[from].kind)
			return;
	memcpy(moved, &me->arena[from], n * sizeof(struct page));
	/* MAP_FIXED unmaps first, whether it then succeeds or not. */
	if (mremap(at(from), n * PG, n * PG, MREMAP_MAYMOVE | MREMAP_FIXED, at(to)) == MAP_FAILED) {
		munmap(at(to), n * PG);
		memset(&me->arena[to], 0, n * sizeof(struct page));
		munmap(at(from), n * PG);
		memset(&me->arena[from], 0, n * sizeof(struct page));
		return;
	}
	memset(&me->arena[from], 0, n * sizeof(struct page));
	memcpy(&me->arena[to], moved, n * sizeof(struct page));
}

static void protect_some(void)
{
	uint32_t from, n = some(&from, 16);
	int prot = rnd(2) ? PROT_NONE : PROT_READ;

	for (uint32_t i = from; i < from + n; i++)
		if (me->arena[i].kind == NONE)
			return;
	if (mprotect(at(from), n * PG, prot))
		return failed("mprotect: %d", errno);
	/* Some stay like this for a while: a dump may come now. */
	if (rnd(3) == 0)
		pause_us(2000);
	if (mprotect(at(from), n * PG, PROT_READ | PROT_WRITE))
		failed("mprotect back: %d", errno);
}

static void lose(struct page *p)
{
	p->flags &= GUARD;
	p->seed = p->touch = 0;
}

static void advise_some(void)
{
	static const int list[] = { MADV_DONTNEED, MADV_FREE,	  MADV_HUGEPAGE,      MADV_NOHUGEPAGE,
				    MADV_COLD,	   MADV_PAGEOUT,  MADV_GUARD_INSTALL, MADV_GUARD_REMOVE,
				    MADV_DONTNEED, MADV_COLLAPSE, MADV_POPULATE_READ, MADV_POPULATE_WRITE };
	int advice = list[rnd(sizeof(list) / sizeof(list[0]))];
	uint32_t from, n = some(&from, 24);

	/* Page by page, or where all of it is mapped: a call that fails half way would have done a part. */
	for (uint32_t i = from; i < from + n; i++)
		if (me->arena[i].kind == NONE || (advice == MADV_FREE && me->arena[i].kind != ANON) ||
		    (me->arena[i].flags & GUARD && advice != MADV_GUARD_REMOVE && advice != MADV_GUARD_INSTALL))
			return;
	if (madvise(at(from), n * PG, advice))
		return;
	for (uint32_t i = from; i < from + n; i++) {
		struct page *p = &me->arena[i];

		if (advice == MADV_DONTNEED)
			lose(p);
		else if (advice == MADV_FREE && (p->seed || p->touch))
			p->flags |= MAY_BE_ZERO;
		else if (advice == MADV_GUARD_INSTALL)
			*p = (struct page){ p->kind, GUARD, p->file_page, 0, 0 };
		else if (advice == MADV_GUARD_REMOVE)
			p->flags &= (uint8_t)~GUARD;
	}
}

/* Pages beyond the end are lost, also copies; when the file grows again it is zero there. */
static void cut_file(void)
{
	uint32_t pages = rnd(FILE_PAGES + 1);

	if (ftruncate(data_fd, (off_t)(pages * PG)))
		return failed("ftruncate: %d", errno);
	rec->file_pages = pages;
	for (uint32_t i = pages; i < FILE_PAGES; i++)
		rec->file[i].seed = rec->file[i].touch = 0;
	for (struct actor *a = rec->actors; a < rec->actors + ACTORS; a++)
		for (uint32_t i = 0; i < ARENA_PAGES; i++)
			if (a->arena[i].kind == FROM_FILE && a->arena[i].file_page >= pages)
				lose(&a->arena[i]);
}

static void grow_file(void)
{
	uint32_t pages = rec->file_pages, more = pages + rnd(FILE_PAGES - pages + 1);

	if (ftruncate(data_fd, (off_t)(more * PG)))
		return failed("ftruncate: %d", errno);
	rec->file_pages = more;
	for (uint32_t i = pages; i < more; i++) {
		rec->file[i].seed = ++rec->last_seed;
		rec->file[i].touch = 0;
		fill(pattern, rec->file[i].seed, 0);
		if (pwrite(data_fd, pattern, PG, (off_t)(i * PG)) != (ssize_t)PG)
			failed("write the file: %d", errno);
	}
}

static void change_heap(void)
{
	uint32_t pages = rnd(HEAP_PAGES + 1);

	if (rnd(4)) {
		uint32_t i = me->heap_pages ? rnd(me->heap_pages) : 0;

		if (me->heap_pages)
			change_page(&me->heap[i], heap + i * PG);
		return;
	}
	if (brk(heap + pages * PG))
		return failed("brk: %d", errno);
	for (uint32_t i = me->heap_pages < pages ? me->heap_pages : pages; i < HEAP_PAGES; i++)
		me->heap[i] = (struct page){ .kind = ANON };
	me->heap_pages = pages;
}

static void change_shared(void)
{
	uint32_t i = rnd(SHARED_PAGES);

	change_page(&rec->shared[i], shared + i * PG);
}

static void change_stack(void)
{
	uint32_t i = rnd(STACK_PAGES);

	change_page(&me->stack[i], stack + i * PG);
}

static void write_some(void)
{
	uint32_t from, n = some(&from, 16);

	for (uint32_t i = from; i < from + n; i++)
		if (is_writable(i))
			change_page(&me->arena[i], at(i));
}

/* The other process has copies: it writes to them, and to what is shared on write with us. */
static void fork_for_a_moment(void)
{
	pid_t pid = fork();

	if (pid < 0)
		return;
	if (!pid) {
		for (uint32_t i = 0; i < ARENA_PAGES; i += 7)
			if (is_writable(i))
				*(volatile uint32_t *)(at(i) + 4) = 0x666;
		_exit(0);
	}
	/* Meanwhile the pages are read-only in both. */
	write_some();
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static void change(void)
{
	static void (*const how[])(void) = { write_some,       write_some,  write_some,	 write_some,	write_some,
					     map_some,	       map_some,    unmap_some,	 move_some,	move_some,
					     protect_some,     advise_some, advise_some, advise_some,	cut_file,
					     grow_file,	       change_heap, change_heap, change_shared, change_stack,
					     fork_for_a_moment };
	uint32_t i = rnd(sizeof(how) / sizeof(how[0]));

	/* Rare ones. */
	if ((how[i] == cut_file || how[i] == fork_for_a_moment) && rnd(6))
		i = 0;
	lock();
	how[i]();
	unlock();
}

/* ---- comparing: through /proc/self/mem, so that nothing is changed by it */

static void compare(const char *what, uint32_t i, int mem, const struct page *p, const char *from)
{
	static uint32_t got[WORDS];
	struct page want = *p;
	bool readable =
		p->kind != NONE && !(p->flags & GUARD) && (p->kind != FROM_FILE || p->file_page < rec->file_pages);
	ssize_t n = pread(mem, got, PG, (off_t)(uintptr_t)from);

	if (p->kind == FROM_FILE && !(p->flags & OWN)) {
		want.seed = rec->file[p->file_page].seed;
		want.touch = 0;
	}
	fill(pattern, want.seed, want.touch);
	if ((n == (ssize_t)PG) != readable) {
		failed("process %d: %s page %u: readable %zd (errno %d), kind %d flags %d", getpid(), what, i, n, errno,
		       p->kind, p->flags);
		return;
	}
	if (!readable || !memcmp(got, pattern, PG))
		return;
	fill(pattern, 0, 0);
	if (p->flags & MAY_BE_ZERO && !memcmp(got, pattern, PG))
		return;
	failed("process %d: %s page %u at %p: has %08x %08x, expected seed %u touch %08x, kind %d flags %d", getpid(),
	       what, i, (const void *)from, got[0], got[1], want.seed, want.touch, p->kind, p->flags);
}

static void compare_all(void)
{
	int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);

	lock();
	for (uint32_t i = 0; i < ARENA_PAGES; i++)
		compare("arena", i, mem, &me->arena[i], at(i));
	for (uint32_t i = 0; i < me->heap_pages; i++)
		compare("heap", i, mem, &me->heap[i], heap + i * PG);
	for (uint32_t i = 0; i < STACK_PAGES; i++)
		compare("stack", i, mem, &me->stack[i], stack + i * PG);
	for (uint32_t i = 0; i < SHARED_PAGES; i++)
		compare("shared", i, mem, &rec->shared[i], shared + i * PG);
	unlock();
	close(mem);
}

/* ---- commands */

static void fork_actor(void)
{
	for (struct actor *a = rec->actors + 1; a < rec->actors + ACTORS; a++) {
		pid_t pid;

		if (atomic_load(&a->pid))
			continue;
		lock();
		memcpy(a->arena, me->arena, sizeof(a->arena));
		memcpy(a->heap, me->heap, sizeof(a->heap));
		memcpy(a->stack, me->stack, sizeof(a->stack));
		a->heap_pages = me->heap_pages;
		a->random = me->random * 3 + 1;
		atomic_store(&a->done, atomic_load(&rec->number));
		pid = fork();
		if (!pid)
			me = a;
		else if (pid > 0)
			atomic_store(&a->pid, pid);
		if (pid)
			unlock();
		return;
	}
}

static void end_actor(void)
{
	if (me == rec->actors) {
		/* It acknowledges when they have ended. */
		while (wait(NULL) > 0 || errno == EINTR)
			;
		for (struct actor *a = rec->actors + 1; a < rec->actors + ACTORS; a++)
			atomic_store(&a->pid, 0);
		return;
	}
	_exit(0);
}

static void obey(void)
{
	uint32_t number = atomic_load(&rec->number);

	if (number == atomic_load(&me->done)) {
		pause_us(300);
		return;
	}
	if (rec->command == CHANGE)
		for (uint32_t i = 0; i < rec->count; i++)
			change();
	else if (rec->command == COMPARE)
		compare_all();
	else if (rec->command == FORK && me == rec->actors)
		fork_actor();
	else if (rec->command == END)
		end_actor();
	atomic_store(&me->done, number);
}

static struct record *open_record(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *mem = MAP_FAILED;

	if (fd >= 0 && !ftruncate(fd, sizeof(struct record)))
		mem = mmap(NULL, sizeof(struct record), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (mem == MAP_FAILED)
		exit(2);
	return mem;
}

static void crash(int sig, siginfo_t *info, void *context)
{
	failed("process %d: signal %d at %p", getpid(), sig, info->si_addr);
	_exit(1);
}

static void catch_crashes(void)
{
	struct sigaction act = { .sa_sigaction = crash, .sa_flags = SA_SIGINFO };

	sigaction(SIGSEGV, &act, NULL);
	sigaction(SIGBUS, &act, NULL);
}

int main(int argc, char **argv)
{
	char on_stack[STACK_PAGES * PG + PG];

	if (argc != 4)
		return 2;
	rec = open_record(argv[1]);
	catch_crashes();
	me = rec->actors;
	me->random = (uint32_t)strtoul(argv[3], NULL, 10) * 2654435761u + 99;
	atomic_store(&me->pid, getpid());
	data_fd = open(argv[2], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	grow_file();
	stack = (char *)(((uintptr_t)on_stack + PG - 1) & ~(PG - 1));
	memset(on_stack, 0, sizeof(on_stack));
	shared = mmap(NULL, SHARED_PAGES * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	heap = (char *)(((uintptr_t)sbrk(0) + PG - 1) & ~(PG - 1));
	for (uint32_t i = 0; i < SHARED_PAGES; i++)
		rec->shared[i].kind = ANON;
	for (uint32_t i = 0; i < STACK_PAGES; i++)
		me->stack[i].kind = ANON;
	for (uint32_t i = 0; i < HEAP_PAGES; i++)
		me->heap[i].kind = ANON;
	for (;;)
		obey();
}
