// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locked memory: populated at once or on fault (MLOCK_ONFAULT), future mappings (MCL_FUTURE, MCL_ONFAULT), memory whose
 * pages cannot be populated.
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

static struct area inspect(const void *mem)
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
	/* Older kernels do not print this flag. */
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

/* A mapping that is far from others, and is not merged with any. */
static char *map_apart(size_t size, int prot)
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
	char *before = map_apart(16 * PAGE, PROT_READ | PROT_WRITE), *after, name[16];
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
	check(inspect(before).locked == !!(flags & MCL_CURRENT), "flags %d: earlier mappings", flags);
	after = map_apart(16 * PAGE, PROT_READ | PROT_WRITE);
	check(inspect(after).locked == future && inspect(after).on_fault == on_fault &&
		      resident(after) == (future && !on_fault),
	      "flags %d: new mappings: locked %d, on fault %d, resident %d", flags, inspect(after).locked,
	      inspect(after).on_fault, resident(after));
	if (flags)
		need(!munlockall(), "munlockall");
	after = map_apart(16 * PAGE, PROT_READ | PROT_WRITE);
	check(!inspect(after).locked, "flags %d: unlocked", flags);
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
	large = map_apart(LARGE, PROT_READ | PROT_WRITE);
	all = map_apart(64 * PAGE, PROT_READ | PROT_WRITE);
	none = map_apart(4 * PAGE, PROT_NONE);
	part = map_apart(64 * PAGE, PROT_READ);
	if (syscall(SYS_mlock2, large, LARGE, MLOCK_ONFAULT) || mlock(all, 64 * PAGE))
		test_skip("RLIMIT_MEMLOCK is too low");
	memset(large + LARGE / 2, 'l', PAGE);
	need(mlock(none, 4 * PAGE) && errno == ENOMEM, "lock unpopulatable memory");
	need(!syscall(SYS_mlock2, part, 64 * PAGE, MLOCK_ONFAULT) && !mlock(part, PAGE), "lock in two ways");
	/* A mapping that extends beyond the end of its file, where there is nothing to lock. */
	fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	need(fd >= 0 && !ftruncate(fd, PAGE), "file");
	file = mmap(NULL, 4 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	need(file != MAP_FAILED && mlock(file, 4 * PAGE) && errno == ENOMEM, "lock a file");

	brk = checkpoint_here();
	if (brk == 2)
		munlock(large, LARGE);
	if (brk == 3)
		mlock(large, LARGE);
	check(inspect(large).locked && inspect(large).on_fault && inspect(large).rss_kb < 16 << 10,
	      "%lu kB are resident", inspect(large).rss_kb);
	check(large[LARGE / 2] == 'l' && !large[0], "content");
	check(inspect(all).locked && !inspect(all).on_fault && inspect(all).rss_kb == 64 * PAGE / 1024,
	      "%lu kB are resident", inspect(all).rss_kb);
	check(inspect(none).locked && !inspect(none).on_fault, "PROT_NONE memory");
	check(inspect(file).locked && !inspect(file).on_fault, "a file");
	check(inspect(part).locked && !inspect(part).on_fault && resident(part), "locked at once");
	check(inspect(part + PAGE).locked && inspect(part + PAGE).on_fault, "locked on fault");
	for (int i = 0; i < 4; i++)
		join_task(pids[i]);
	test_done();
}
