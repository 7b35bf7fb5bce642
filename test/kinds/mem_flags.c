// SPDX-License-Identifier: GPL-2.0-only
/*
 * Locked memory, madvise flags, names of anonymous memory, growing stacks: VmFlags and actual behaviour are preserved.
 * test: breaks=2
 */
#include "checkpoint.h"
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#define PR_SET_VMA_ANON_NAME 0
#endif
#define PAGE 4096UL

static const char keep[] = "rd wr ex sh mr mw me ms gd lo sr rr dc de nr hg nh mg dd wf";

/* VmFlags of the mapping at an address, reduced to those that are settings. */
static void flags_of(void *mem, char *out, char *name)
{
	char line[512], find[32], *word, *save = NULL;
	FILE *f = fopen("/proc/self/smaps", "re");
	bool found = false;

	snprintf(find, sizeof(find), "%lx-", (unsigned long)mem);
	out[0] = name[0] = 0;
	while (fgets(line, sizeof(line), f)) {
		if (!strncmp(line, find, strlen(find))) {
			found = true;
			word = strchr(line, '[');
			strcpy(name, word ? word : "\n");
		}
		if (found && !strncmp(line, "VmFlags:", 8)) {
			for (word = strtok_r(line + 8, " \n", &save); word; word = strtok_r(NULL, " \n", &save))
				if (strstr(keep, word)) {
					strcat(out, word);
					strcat(out, " ");
				}
			break;
		}
	}
	fclose(f);
}

#define COUNT 16

int main(int argc, char **argv)
{
	const int advices[] = { MADV_SEQUENTIAL, MADV_RANDOM,	MADV_DONTFORK,	 MADV_DONTDUMP,
				MADV_WIPEONFORK, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE };
	char *mem[COUNT], before[COUNT][256], after[256], name[COUNT][256], name_after[256];
	char *area;
	long locked, locked_after;
	int i, brk, status;
	pid_t pid;

	test_init(argc, argv);
	for (i = 0; i < COUNT; i++) {
		area = map_anon(6 * PAGE, MAP_PRIVATE);

		munmap(area, PAGE);
		munmap(area + 5 * PAGE, PAGE);
		mem[i] = area + PAGE;
		memset(mem[i], 'a' + i, PAGE);
		if (i < 8)
			madvise(mem[i], 4 * PAGE, advices[i]);
	}
	need(!mlock(mem[8], 4 * PAGE) && !syscall(SYS_mlock2, mem[9], 4 * PAGE, MLOCK_ONFAULT), "mlock");
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, mem[10], 4 * PAGE, "a name");
	munmap(mem[11], 4 * PAGE);
	/* far from its neighbours: the kernel keeps a gap of 1 MB below a stack */
	area = map_anon(1024 * PAGE, MAP_PRIVATE);
	munmap(area, 1024 * PAGE);
	mem[11] = mmap(area + 800 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
	need(mem[11] != MAP_FAILED, "growsdown");
	memset(mem[11], 'l', 4 * PAGE);
	munmap(mem[12], 4 * PAGE);
	mem[12] = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_POPULATE, -1, 0);
	memset(mem[12], 'm', PAGE);
	madvise(mem[13], 4 * PAGE, MADV_DONTDUMP);
	madvise(mem[13], 4 * PAGE, MADV_DONTFORK);
	mprotect(mem[13], 4 * PAGE, PROT_READ);
	locked = status_field(getpid(), "VmLck", 10);
	for (i = 0; i < COUNT; i++)
		flags_of(mem[i], before[i], name[i]);

	brk = checkpoint_here();
	if (brk == 1)
		madvise(mem[3], 4 * PAGE, MADV_DODUMP);
	if (brk == 2)
		munlock(mem[8], 4 * PAGE);

	for (i = 0; i < COUNT; i++) {
		flags_of(mem[i], after, name_after);
		check(!strcmp(before[i], after), "area %d: flags %s, were %s", i, after, before[i]);
		check(!strcmp(name[i], name_after), "area %d: name %s was %s", i, name_after, name[i]);
		check(mem[i][0] == 'a' + i && mem[i][PAGE - 1] == 'a' + i, "area %d: content %c", i, mem[i][0]);
	}
	locked_after = status_field(getpid(), "VmLck", 10);
	check(locked == locked_after, "%ld locked, were %ld", locked_after, locked);
	pid = fork();
	if (!pid)
		_exit(mem[4][0] ? 2 : 0);
	waitpid(pid, &status, 0);
	check(!status, "wipe on fork: %#x", status);
	pid = fork();
	if (!pid) {
		signal(SIGSEGV, SIG_DFL);
		_exit(mem[2][0]);
	}
	waitpid(pid, &status, 0);
	check(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV, "not in a fork: %#x", status);
	/* just below: grows */
	mem[11][-1] = 'g';
	check(mem[11][-1] == 'g', "the stack grows");
	test_done();
}
