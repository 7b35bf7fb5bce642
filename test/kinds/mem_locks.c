// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locked memory: at once or as pages come (MLOCK_ONFAULT), what will be mapped (MCL_FUTURE, MCL_ONFAULT), memory whose
 * pages cannot be there.
 * test: breaks=3
 */
#include "checkpoint.h"
#include <sys/syscall.h>

#define PAGE 4096UL
#define LARGE (256UL << 20)

struct area {
	unsigned long rss_kb;
	bool locked, on_fault;
};

static struct area look(const void *mem)
{
	char line[512], find[32];
	FILE *f = fopen("/proc/self/smaps", "re");
	struct area a = { 0 };
	bool found = false;

	need(f, "smaps");
	snprintf(find, sizeof(find), "%lx-", (unsigned long)mem);
	while (fgets(line, sizeof(line), f)) {
		found |= !strncmp(line, find, strlen(find));
		if (found)
			sscanf(line, "Rss: %lu", &a.rss_kb);
		if (found && !strncmp(line, "VmFlags:", 8))
			break;
	}
	a.locked = found && strstr(line, " lo");
	/* Older kernels have no name for it. */
	a.on_fault = found && (strstr(line, " lf") || strstr(line, " ??"));
	fclose(f);
	return a;
}

static unsigned char resident(void *mem)
{
	unsigned char is = 0;

	need(!mincore(mem, PAGE, &is), "mincore");
	return is & 1;
}

/* A mapping far from others, that merges with none. */
static char *room(size_t size, int prot)
{
	char *mem = mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	need(mem != MAP_FAILED && !munmap(mem, size + 2 * PAGE), "mmap");
	mem = mmap(mem + PAGE, size, prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	need(mem != MAP_FAILED, "mmap");
	return mem;
}

static int flags_of[] = { 0, MCL_FUTURE, MCL_FUTURE | MCL_ONFAULT, MCL_CURRENT | MCL_FUTURE };

/* One task with each of these. */
static int child(void *arg)
{
	int flags = *(int *)arg;
	bool future = flags & MCL_FUTURE, on_fault = flags & MCL_ONFAULT;
	char *before = room(16 * PAGE, PROT_READ | PROT_WRITE), *after, name[16];
	long locked;

	if (flags)
		need(!mlockall(flags), "mlockall %d", flags);
	locked = status_field(getpid(), "VmLck", 10);
	snprintf(name, sizeof(name), "child%d", flags);
	checkpoint_task(name, 0);
	if (test_break() == 1)
		munlockall();
	check(status_field(getpid(), "VmLck", 10) == locked, "flags %d: %ld kB are locked, not %ld", flags,
	      status_field(getpid(), "VmLck", 10), locked);
	check(look(before).locked == !!(flags & MCL_CURRENT), "flags %d: what was mapped before", flags);
	after = room(16 * PAGE, PROT_READ | PROT_WRITE);
	check(look(after).locked == future && look(after).on_fault == on_fault &&
		      resident(after) == (future && !on_fault),
	      "flags %d: what is mapped now: locked %d, on fault %d, resident %d", flags, look(after).locked,
	      look(after).on_fault, resident(after));
	if (flags)
		need(!munlockall(), "munlockall");
	after = room(16 * PAGE, PROT_READ | PROT_WRITE);
	check(!look(after).locked, "flags %d: unlocked", flags);
	return 0;
}

int main(int argc, char **argv)
{
	char *large, *all, *none, *file, *part;
	pid_t pids[4];
	int fd, brk;

	test_init(argc, argv);
	if (mlockall(MCL_FUTURE) || munlockall())
		test_skip("memory cannot be locked");
	for (int i = 0; i < 4; i++) {
		char name[16];

		pids[i] = fork_task(child, &flags_of[i]);
		snprintf(name, sizeof(name), "child%d", flags_of[i]);
		await_task(name);
	}
	large = room(LARGE, PROT_READ | PROT_WRITE);
	all = room(64 * PAGE, PROT_READ | PROT_WRITE);
	none = room(4 * PAGE, PROT_NONE);
	part = room(64 * PAGE, PROT_READ);
	if (syscall(SYS_mlock2, large, LARGE, MLOCK_ONFAULT) || mlock(all, 64 * PAGE))
		test_skip("RLIMIT_MEMLOCK is too low");
	memset(large + LARGE / 2, 'l', PAGE);
	need(mlock(none, 4 * PAGE) && errno == ENOMEM, "lock what cannot be there");
	need(!syscall(SYS_mlock2, part, 64 * PAGE, MLOCK_ONFAULT) && !mlock(part, PAGE), "lock in two ways");
	/* Of a file, behind whose end there is nothing to lock. */
	fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	need(fd >= 0 && !ftruncate(fd, PAGE), "file");
	file = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	need(file != MAP_FAILED && mlock(file, 4 * PAGE) && errno == ENOMEM, "lock a file");

	brk = checkpoint_here();
	if (brk == 2)
		munlock(large, LARGE);
	if (brk == 3)
		mlock(large, LARGE);
	check(look(large).locked && look(large).on_fault && look(large).rss_kb < 16 << 10, "%lu kB are there",
	      look(large).rss_kb);
	check(large[LARGE / 2] == 'l' && !large[0], "content");
	check(look(all).locked && !look(all).on_fault && look(all).rss_kb == 64 * PAGE / 1024, "%lu kB are there",
	      look(all).rss_kb);
	check(look(none).locked && !look(none).on_fault, "memory without a right");
	check(look(file).locked && !look(file).on_fault, "a file");
	check(look(part).locked && !look(part).on_fault && resident(part), "locked at once");
	check(look(part + PAGE).locked && look(part + PAGE).on_fault, "locked as it comes");
	for (int i = 0; i < 4; i++)
		join_task(pids[i]);
	test_done();
}
