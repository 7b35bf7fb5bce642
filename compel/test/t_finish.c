// SPDX-License-Identifier: GPL-2.0-only
/*
 * compel_set_state and compel_finish_begin to _end: a thread that runs in memory that is to be unmapped continues
 * elsewhere, with the requested registers and mask, and the memory is unmapped; also if the tracer is killed at any
 * point. If it continues in an interrupted system call, a signal that has arrived meanwhile ends it as usual.
 */
#include <sys/auxv.h>
#include <sys/ptrace.h>

#include "help.h"

#define REGION 0x500000000000ul
#define REGION_LEN 0x10000ul
#define FINAL_MASK 0x0800ul

struct shared {
	volatile long ready, arrived, turns, handled, result;
	volatile unsigned long mask, fs;
	volatile double vector;
};

static struct shared *s;
static bool vdso_known;
static char final_stack[65536] __attribute__((aligned(16)));

static void __attribute__((noreturn, used)) final_place(struct shared *sh, unsigned long marker)
{
	unsigned long mask = 0, xmm;

	__asm__ volatile("movq %%xmm9, %0" : "=r"(xmm));
	syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8);
	sh->mask = mask;
	sh->arrived = marker == 0x1234 && xmm == 0x7777 ? 1 : -1;
	for (;;)
		sh->turns++;
}

/* pause(2), as it is interrupted: the state is that before the instruction. */
extern const char final_call[];
__asm__(".text\nfinal_call:\n\tsyscall\n\tmov %rax, %rdi\n\tjmp final_result\n");

static void __attribute__((noreturn, used)) final_result(long result)
{
	s->result = result;
	for (;;)
		pause();
}

static void on_signal(int sig)
{
	s->handled++;
}

static void region_body(void *arg)
{
	static const unsigned char spin[] = { 0xeb, 0xfe };
	const struct sigaction handler = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	sigaction(SIGUSR1, &handler, NULL);
	char *at;

	at = mmap((void *)REGION, REGION_LEN, PROT_READ | PROT_WRITE | PROT_EXEC,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	memset(at, 0xcc, REGION_LEN);
	memcpy(at, spin, sizeof(spin));
	s->ready = 1;
	((void (*)(void))at)();
}

static bool has_region(pid_t pid)
{
	char maps[65536];

	proc_text(pid, "maps", maps, sizeof(maps));
	return strstr(maps, "\n500000000000-") || !strncmp(maps, "500000000000-", 13);
}

/* Sets the FPU first, the rest by compel_finish_*. */
static int finish(pid_t pid)
{
	const struct compel_region region = { REGION, REGION_LEN, vdso_known ? getauxval(AT_SYSINFO_EHDR) : 0 };
	struct compel_thread_state after = { 0 };
	struct compel_finish *f = NULL;
	struct compel_stop stop;
	int err = compel_seize(pid, true), ended;

	if (!err)
		err = compel_wait_stop(pid, &stop);
	if (!err)
		err = compel_get_state(pid, &after);
	if (err)
		return err;
	after.regs.ip = (uint64_t)final_place;
	after.regs.sp = (uint64_t)final_stack + sizeof(final_stack) - 8;
	after.regs.di = (uint64_t)s;
	after.regs.si = 0x1234;
	after.regs.orig_ax = -1;
	after.sigmask = FINAL_MASK;
	memcpy((char *)after.xsave + 160 + 9 * 16, &(uint64_t){ 0x7777 }, 8); /* xmm9 in the legacy area */
	((uint64_t *)((char *)after.xsave + 512))[0] |= 2;
	/* Only the FPU: its general registers must not change before compel_finish_begin. */
	{
		struct compel_thread_state fpu = after;

		err = compel_get_state(pid, &fpu);
		free(fpu.xsave);
		fpu.xsave = after.xsave;
		if (!err)
			err = compel_set_state(pid, &fpu);
	}
	if (!err)
		err = compel_finish_begin(pid, &after, &region, &f);
	compel_finish_continue(f);
	ended = compel_finish_end(f);
	err = err ? err : ended;
	compel_thread_state_clear(&after);
	return err ? err : compel_detach(pid, &stop);
}

static pid_t start(void)
{
	pid_t pid;

	*s = (struct shared){ 0 };
	pid = victim(region_body, NULL);
	while (!s->ready)
		usleep(100);
	return pid;
}

static bool arrives(void)
{
	for (int i = 0; i < 100000 && !s->arrived; i++)
		usleep(500);
	return s->arrived == 1 && s->mask == FINAL_MASK;
}

static void finish_undisturbed(void)
{
	pid_t pid = start();
	int err = finish(pid);

	report("finish", !err && arrives() && !has_region(pid), "%s (%s), arrived %ld, mask %#lx", strerror(-err),
	       compel_error(NULL), s->arrived, s->mask);
	end_victim(pid);
}

static bool in_call(pid_t pid, long nr)
{
	char text[256];

	return proc_text(pid, "syscall", text, sizeof(text)) && atol(text) == nr && text[0] != 'r';
}

/* How the interrupted call has ended; 0: it waits. */
static long result_of_call(pid_t pid)
{
	for (int i = 0; i < 100000 && !s->result && !(s->handled && in_call(pid, SYS_pause)); i++)
		usleep(500);
	return s->result;
}

static void finish_in_call(int code, bool signal, bool unsure, long want)
{
	const struct compel_region region = { REGION, REGION_LEN, vdso_known ? getauxval(AT_SYSINFO_EHDR) : 0 };
	struct compel_thread_state after = { 0 };
	struct compel_finish *f = NULL;
	struct compel_stop stop;
	pid_t pid = start();
	int err = compel_seize(pid, true), ended;

	if (!err)
		err = compel_wait_stop(pid, &stop);
	if (!err)
		err = compel_get_state(pid, &after);
	after.regs.ip = (uint64_t)final_call;
	after.regs.ax = SYS_pause;
	after.regs.orig_ax = -1;
	if (unsure)
		compel_guess_restart(&after, SYS_pause);
	else if (!err)
		err = compel_set_restart(&after, SYS_pause, code);
	if (!err)
		err = compel_finish_begin(pid, &after, &region, &f);
	compel_finish_continue(f);
	ended = compel_finish_end(f);
	if (signal)
		kill(pid, SIGUSR1);
	compel_detach(pid, &stop);
	while (!signal && !in_call(pid, SYS_pause))
		usleep(100);
	kill(pid, signal ? 0 : SIGUSR1);
	report("finish_in_call", !err && !ended && result_of_call(pid) == want, "%s, %s, code %d: %ld, not %ld",
	       strerror(-err), strerror(-ended), code, s->result, want);
	compel_thread_state_clear(&after);
	end_victim(pid);
}

static void killed_at_each_point(void)
{
	int moved = 0, stayed = 0, at;
	const char *why = NULL;

	for (at = 1; !why; at++) {
		pid_t pid = start(), tracer = fork();
		int status;

		if (!tracer) {
			kill_count = 0;
			kill_at = at;
			_exit(finish(pid) ? 1 : 0);
		}
		waitpid(tracer, &status, 0);
		/* Until it is borrowed it remains where it was; afterwards it must arrive. */
		for (int i = 0; i < 100 && !s->arrived; i++)
			usleep(100);
		if (!s->arrived && moved)
			arrives();
		if (!s->arrived && !moved && has_region(pid) && !kill(pid, 0))
			stayed++;
		else if (arrives() && !has_region(pid) && !status_value(pid, "\nTracerPid:", 10))
			moved++;
		else
			why = "it neither remained nor arrived";
		end_victim(pid);
		if (!WIFSIGNALED(status))
			break;
	}
	report("finish_killed", !why && moved > 5 && stayed > 5, "point %d: %s, moved %d, stayed %d, arrived %ld", at,
	       why ? why : "", moved, stayed, s->arrived);
	printf("# %d points: remained at %d, arrived at %d\n", at, stayed, moved);
}

int main(int argc, char **argv)
{
	s = shared_page();
	for (int known = 0; known < 2; known++) {
		vdso_known = known;
		finish_undisturbed();
		killed_at_each_point();
		for (int signal = 0; signal < 2; signal++) {
			finish_in_call(514, signal, false, -EINTR);
			finish_in_call(512, signal, false, signal ? 0 : -EINTR);
			finish_in_call(0, signal, true, -EINTR);
		}
	}
	return test_result();
}
