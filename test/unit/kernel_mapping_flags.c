// SPDX-License-Identifier: GPL-2.0-only
/* Flags of mappings, read from kernel memory: those in smaps, or no answer. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bits.h"
#include "kmem/mapping_flags.h"
#include "kmem/tasks.h"
#include "util_check.h"

static struct mapping_flags_reader *reader;

/* ---- bits ---- */

static int learn(struct mapping_bits *bits, uint64_t value, const char *words)
{
	return mapping_bits_learn(bits, value, words, strlen(words));
}

static void learned_bits_are_decoded(void)
{
	struct mapping_bits bits = { 0 };
	uint64_t flags;

	CHECK(!learn(&bits, 0x100073, " rd wr mr mw me ac "));
	CHECK(mapping_bits_decode(&bits, 0x100073, &flags));
	CHECK(flags == (BIT(VMF_RD) | BIT(VMF_WR) | BIT(VMF_MR) | BIT(VMF_MW) | BIT(VMF_ME) | BIT(VMF_AC)));
	CHECK(mapping_bits_decode(&bits, 0x100001, &flags) && flags == (BIT(VMF_RD) | BIT(VMF_AC)));
	CHECK(mapping_bits_decode(&bits, 0, &flags) && !flags);
}

static void bits_that_were_not_seen_have_no_answer(void)
{
	struct mapping_bits bits = { 0 };
	uint64_t flags;

	CHECK(!learn(&bits, 0x71, " rd mr mw me"));
	CHECK(!mapping_bits_decode(&bits, 0x73, &flags));
	CHECK(!mapping_bits_decode(&bits, 1ull << 63, &flags));
}

static void bits_without_a_word_teach_nothing(void)
{
	struct mapping_bits bits = { 0 };
	uint64_t flags;

	/* As a protection key: which of the bits is it? */
	CHECK(!learn(&bits, 0x100000071, " rd mr mw me"));
	CHECK(!bits.known);
	CHECK(!mapping_bits_decode(&bits, 1, &flags));
}

static void unknown_words_are_not_learned(void)
{
	struct mapping_bits bits = { 0 };
	uint64_t flags;

	CHECK(!learn(&bits, 0x7, " rd ?? ex"));
	CHECK(bits.known == 0x5);
	CHECK(mapping_bits_decode(&bits, 0x5, &flags) && flags == (BIT(VMF_RD) | BIT(VMF_EX)));
	CHECK(!mapping_bits_decode(&bits, 0x7, &flags));
}

static void contradictions_are_errors(void)
{
	struct mapping_bits bits = { 0 };

	CHECK(!learn(&bits, 0x3, " rd wr"));
	CHECK(learn(&bits, 0x2, " ex") == -EOPNOTSUPP);
	CHECK(learn(&bits, 0x2, " ??") == -EOPNOTSUPP);
	CHECK(learn(&bits, 0x1, " rd wr") == -EOPNOTSUPP);
	CHECK(learn(&bits, 0, " rd") == -EOPNOTSUPP);
	CHECK(bits.known == 0x3 && bits.flags[0] == VMF_RD && bits.flags[1] == VMF_WR);
}

/* ---- a process ---- */

#define PAGE 4096ul
#define MANY 4000ul

static const int advices[] = {
	MADV_DONTDUMP,	 MADV_DONTFORK,	  MADV_WIPEONFORK, MADV_MERGEABLE,
	MADV_NOHUGEPAGE, MADV_SEQUENTIAL, MADV_RANDOM,	   MADV_HUGEPAGE,
};

/* Each mapping has the flags of two advices, in combinations that the reader has none of. */
static void make_mappings(void)
{
	const size_t n = ARRAY_SIZE(advices);
	char *at = mmap(NULL, 2 * n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < n; i++) {
		madvise(at + 2 * i * PAGE, PAGE, advices[i]);
		madvise(at + 2 * i * PAGE, PAGE, advices[(i + 1) % n]);
	}
	/* Many, some with a gap before them. */
	at = mmap(NULL, (MANY + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (size_t i = 0; i < MANY; i += 2) {
		if (i % 3)
			mprotect(at + i * PAGE, PAGE, PROT_READ);
		else
			munmap(at + i * PAGE, PAGE);
	}
	mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	mmap(NULL, PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
}

struct child {
	pid_t pid;
	struct proc proc;
	struct maps maps, other_maps;
	struct vma_flags_array fast, slow;
};

/* It waits after its mappings have been made; @locked: with one that is locked. */
static bool start(struct child *c, bool locked)
{
	int ready[2];
	char byte;

	*c = (struct child){ .proc = PROC_CLOSED };
	if (pipe(ready))
		return false;
	c->pid = fork();
	if (!c->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		make_mappings();
		/* Sanitizers make a call of mlock() do nothing. */
		if (locked && syscall(SYS_mlock, mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE))
			_exit(1);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	bool ok = c->pid > 0 && read(ready[0], &byte, 1) == 1 && !proc_open(c->pid, &c->proc);
	close(ready[0]);
	return ok;
}

static void end(struct child *c)
{
	if (c->pid > 0) {
		kill(c->pid, SIGKILL);
		waitpid(c->pid, NULL, 0);
	}
	proc_close(&c->proc);
	maps_free(&c->maps);
	maps_free(&c->other_maps);
	array_free(&c->fast);
	array_free(&c->slow);
}

static bool same(const struct child *c)
{
	bool ok = c->fast.n == c->slow.n && c->maps.n == c->slow.n && c->other_maps.n == c->slow.n;

	for (size_t i = 0; ok && i < c->fast.n; i++) {
		const struct vma_flags *f = &c->fast.v[i], *s = &c->slow.v[i];

		ok = f->start == s->start && f->end == s->end && f->flags == s->flags && !s->unknown[0] &&
		     s->pkey <= 0 && !strcmp(c->maps.v[i].name, c->other_maps.v[i].name);
		if (!ok)
			printf("# %lx: %lx, in smaps %lx %s\n", (unsigned long)s->start, (unsigned long)f->flags,
			       (unsigned long)s->flags, s->unknown);
	}
	return ok;
}

static bool reads_the_same(struct child *c)
{
	return start(c, false) && !mapping_flags_read(reader, &c->proc, &c->maps, &c->fast) &&
	       !smaps_read(&c->proc, &c->other_maps, &c->slow) && c->slow.n > MANY * 3 / 4 && same(c);
}

static void flags_are_those_in_smaps(void)
{
	struct child c;
	bool ok = reads_the_same(&c);

	end(&c);
	CHECK(ok);
}

static void locked_memory_has_no_answer(void)
{
	struct child c;
	int err = start(&c, true) ? mapping_flags_read(reader, &c.proc, &c.maps, &c.fast) : 0;
	bool nothing = !c.maps.n && !c.fast.n;

	end(&c);
	CHECK(err == -EOPNOTSUPP);
	CHECK(nothing);
}

static void an_ended_process_has_no_answer(void)
{
	struct child c;
	int err = 0;

	if (start(&c, false)) {
		kill(c.pid, SIGKILL);
		waitpid(c.pid, NULL, 0);
		c.pid = 0;
		err = mapping_flags_read(reader, &c.proc, &c.maps, &c.fast);
	}
	end(&c);
	CHECK(err < 0);
}

int main(void)
{
	struct kernel_tasks_reader *tasks;
	int err;

	RUN(learned_bits_are_decoded);
	RUN(bits_that_were_not_seen_have_no_answer);
	RUN(bits_without_a_word_teach_nothing);
	RUN(unknown_words_are_not_learned);
	RUN(contradictions_are_errors);
	err = kernel_tasks_open(&tasks);
	if (!err)
		err = mapping_flags_open(tasks, &reader);
	if (err) {
		printf("skip flags of a process: kernel memory cannot be read: %s\n", strerror(-err));
		DONE();
	}
	RUN(flags_are_those_in_smaps);
	RUN(locked_memory_has_no_answer);
	RUN(an_ended_process_has_no_answer);
	mapping_flags_close(reader);
	kernel_tasks_close(tasks);
	DONE();
}
