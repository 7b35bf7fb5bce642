// SPDX-License-Identifier: GPL-2.0-only
/* Unusual targets: stopped, with filters, masks or pending signals, on other stacks, without a vDSO. */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <ucontext.h>

#include "base/bits.h"
#include "help.h"

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

struct shared {
	volatile long turns, bad, ready, handled;
	volatile long values[16];
};

static struct shared *s;

/* Sanitizers insert system calls, which are not allowed in these functions. */
#define BARE __attribute__((no_sanitize("address", "undefined")))

static BARE void count_forever(void *arg)
{
	s->ready = 1;
	for (;;)
		s->turns++;
}

static bool makes_progress(void)
{
	long turns = s->turns;

	for (int i = 0; i < 100000 && s->turns == turns; i++)
		usleep(500);
	return s->turns != turns && !s->bad;
}

static pid_t start(void (*body)(void *))
{
	pid_t pid;

	*s = (struct shared){ 0 };
	pid = victim(body, NULL);
	for (int i = 0; i < 600000 && !s->ready; i++)
		usleep(100);
	return pid;
}

/* After three sessions the victim is unchanged and continues to count. */
static void plain_case(const char *name, void (*body)(void *))
{
	static char before[65536], after[65536];
	pid_t pid = start(body);
	int err = 0, line = 0;

	proc_text(pid, "maps", before, sizeof(before));
	for (int i = 0; i < 3 && !line; i++)
		line = session(pid, &err);
	proc_text(pid, "maps", after, sizeof(after));
	report(name, s->ready && !line && makes_progress() && !strcmp(before, after),
	       "ready %ld, session %d (%s), bad %ld, maps %s", s->ready, line, strerror(-err), s->bad,
	       strcmp(before, after) ? "differ" : "same");
	end_victim(pid);
}

/* Without permission to suspend seccomp the session fails, and the target survives. */
static void seccomp_case(const char *name, void (*body)(void *))
{
	int err = 0, line;
	pid_t pid;

	if (!geteuid()) {
		plain_case(name, body);
		return;
	}
	pid = start(body);
	line = session(pid, &err);
	report(name, s->ready && line && err == -EPERM && makes_progress(), "session %d (%s): %s", line, strerror(-err),
	       compel_error(NULL));
	end_victim(pid);
}

static void group_stop(void)
{
	pid_t pid = start(count_forever);
	struct compel_stop stop = { 0 };
	int err = 0, line;
	bool seen;

	kill(pid, SIGSTOP);
	wait_state(pid, 'T');
	compel_seize(pid, true);
	compel_wait_stop(pid, &stop);
	seen = stop.state == COMPEL_STOPPED && stop.stop_signal == SIGSTOP;
	compel_detach(pid, &stop);
	seen &= wait_state(pid, 'T');
	line = session(pid, &err);
	seen &= wait_state(pid, 'T');
	kill(pid, SIGCONT);
	report("group_stop", seen && !line && makes_progress(), "reported %d, session %d (%s)", seen, line,
	       strerror(-err));
	end_victim(pid);
}

/* SIGSTOP and SIGCONT arrive during a session. */
static void stop_while_traced(void)
{
	pid_t pid = start(count_forever);
	const unsigned long none[6] = { 0 };
	struct compel_stop stop;
	struct compel_ctl *ctl;
	long value = 0;
	int err = open_target(pid, &stop, &ctl);

	kill(pid, SIGSTOP);
	for (int i = 0; i < 5 && !err; i++)
		err = compel_syscall(ctl, SYS_getpid, none, &value);
	kill(pid, SIGCONT);
	if (!err)
		err = compel_syscall(ctl, SYS_getpid, none, &value);
	kill(pid, SIGSTOP);
	if (!err)
		err = compel_syscall(ctl, SYS_getpid, none, &value);
	err = err ? err : compel_cure(ctl);
	compel_detach(pid, &stop);
	report("stop_while_traced",
	       !err && value == pid && wait_state(pid, 'T') && !kill(pid, SIGCONT) && makes_progress(), "%s",
	       strerror(-err));
	end_victim(pid);
}

static BARE void strict_body(void *arg)
{
	/* 1 is strict mode: read, write, exit, sigreturn */
	if (syscall(SYS_prctl, PR_SET_SECCOMP, 1, 0, 0, 0))
		s->bad = 1;
	count_forever(NULL);
}

static BARE void filter_body(void *arg)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog prog = { ARRAY_SIZE(code), code };

	if (syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    syscall(SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0))
		s->bad = 1;
	count_forever(NULL);
}

/* Its system calls are dispatched to itself: ours would be, too. */
static BARE void dispatch_body(void *arg)
{
	static volatile char selector = 0;

	if (syscall(SYS_prctl, 59 /* PR_SET_SYSCALL_USER_DISPATCH */, 1, 0, 0, &selector))
		s->bad = 1;
	selector = 1;
	count_forever(NULL);
}

static void dispatch(void)
{
	pid_t pid = start(dispatch_body);
	int err = 0, line = session(pid, &err);

	report("refuse_dispatch", s->ready && line && err == -ENOEXEC && makes_progress(), "session %d (%s), bad %ld",
	       line, strerror(-err), s->bad);
	end_victim(pid);
}

static void masked_body(void *arg)
{
	uint64_t all = ~0ull;

	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, NULL, 8);
	count_forever(NULL);
}

static void mdwe_body(void *arg)
{
	if (prctl(PR_SET_MDWE, 1, 0, 0, 0))
		s->bad = 1;
	count_forever(NULL);
}

static void on_any(int sig)
{
	s->handled++;
}

static void caught_body(void *arg)
{
	struct sigaction sa = { .sa_handler = on_any };

	for (int i = 1; i < 65; i++)
		sigaction(i, &sa, NULL);
	count_forever(NULL);
	if (s->handled)
		s->bad = 1;
}

static void find_vdso(unsigned long *start_at, size_t *len)
{
	char line[256];
	FILE *f = fopen("/proc/self/maps", "re");
	unsigned long from, to;

	while (fgets(line, sizeof(line), f))
		if (strstr(line, "[vdso]") && sscanf(line, "%lx-%lx", &from, &to) == 2) {
			*start_at = from;
			*len = to - from;
		}
	fclose(f);
}

static void no_vdso_body(void *arg)
{
	unsigned long at = 0;
	size_t len = 0;

	find_vdso(&at, &len);
	if (!len || munmap((void *)at, len))
		s->bad = 1;
	count_forever(NULL);
}

static void on_stack(int sig, siginfo_t *info, void *context)
{
	count_forever(NULL);
}

static void alternate_body(void *arg)
{
	stack_t stack = { .ss_sp = malloc(65536), .ss_size = 65536 };
	struct sigaction sa = { .sa_sigaction = on_stack, .sa_flags = SA_ONSTACK | SA_SIGINFO };

	sigaltstack(&stack, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	raise(SIGUSR1);
}

/* rsp does not point to a stack, as in code that uses it for other purposes. */
static void no_stack_body(void *arg)
{
	s->ready = 1;
	__asm__ volatile("mov $8, %%esp\n1: incq (%0)\n jmp 1b" : : "r"(&s->turns) : "memory");
}

static void on_queued(int sig, siginfo_t *info, void *context)
{
	long n = s->handled;

	if (n < 16)
		s->values[n] = sig * 1000 + info->si_value.sival_int + (info->si_code == SI_QUEUE ? 0 : 500);
	s->handled = n + 1;
}

static void queue_body(void *arg)
{
	struct sigaction sa = { .sa_sigaction = on_queued, .sa_flags = SA_SIGINFO };
	sigset_t set;

	sigaction(SIGRTMIN + 3, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGRTMIN + 3);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->ready = 1;
	while (!s->values[15])
		s->turns++;
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	count_forever(NULL);
}

static bool queued_arrived(int first, int nr)
{
	for (int i = 0; i < 100000 && s->handled < nr; i++)
		usleep(500);
	for (int i = 0; i < nr; i++)
		if (s->values[i] != (SIGRTMIN + 3) * 1000 + first + i)
			return false;
	return s->handled == nr;
}

static void pending_signals(void)
{
	pid_t pid = start(queue_body);
	int err = 0, line;

	for (int i = 0; i < 5; i++)
		sigqueue(pid, SIGRTMIN + 3, (union sigval){ .sival_int = 10 + i });
	line = session(pid, &err);
	s->values[15] = 1;
	report("pending_signals", !line && queued_arrived(10, 5) && makes_progress(),
	       "session %d (%s), handled %ld, %ld", line, strerror(-err), s->handled, s->values[0]);
	end_victim(pid);
}

static void open_queue_body(void *arg)
{
	struct sigaction sa = { .sa_sigaction = on_queued, .sa_flags = SA_SIGINFO };

	sigaction(SIGRTMIN + 3, &sa, NULL);
	count_forever(NULL);
}

/* Unblocked signals arrive between seize and stop, and during the session; none is lost, none is delivered early. */
static void signals_while_stopping(int rounds)
{
	const unsigned long none[6] = { 0 };
	pid_t pid = start(open_queue_body);
	struct compel_stop stop;
	struct compel_ctl *ctl;
	bool good = true;
	long value, early;
	int err = 0;

	for (int i = 0; i < rounds && good && !err; i++) {
		s->handled = 0;
		sigqueue(pid, SIGRTMIN + 3, (union sigval){ .sival_int = 20 });
		err = open_target(pid, &stop, &ctl);
		sigqueue(pid, SIGRTMIN + 3, (union sigval){ .sival_int = 21 });
		early = s->handled;
		if (!err)
			err = compel_syscall(ctl, SYS_getpid, none, &value);
		sigqueue(pid, SIGRTMIN + 3, (union sigval){ .sival_int = 22 });
		if (!err)
			err = compel_syscall(ctl, SYS_getpid, none, &value);
		good = early == s->handled;
		err = err ? err : compel_cure(ctl);
		compel_detach(pid, &stop);
		good &= queued_arrived(20, 3);
	}
	report("signals_while_stopping", good && !err && makes_progress(), "%s, handled %ld", strerror(-err),
	       s->handled);
	end_victim(pid);
}

static void blob_fault(void)
{
	pid_t pid = start(count_forever);
	struct compel_ctl *ctl;
	struct compel_stop stop;
	long value = 0;
	int err, fault = 0, after = -1;

	err = open_target(pid, &stop, &ctl);
	if (!err)
		err = compel_infect(ctl, &probe_blob, 4096);
	if (!err) {
		fault = compel_command(ctl, PROBE_FAULT, &value);
		after = compel_command(ctl, PROBE_IDS, &value);
		err = compel_cure(ctl);
	}
	compel_detach(pid, &stop);
	report("blob_fault", !err && fault == -EFAULT && !after && value == pid && makes_progress(),
	       "%s, fault %d, after %d, value %ld", strerror(-err), fault, after, value);
	end_victim(pid);
}

static void blob_statics(void)
{
	pid_t pid = start(mdwe_body);
	struct compel_ctl *ctl;
	struct compel_stop stop;
	uint32_t counter = 7;
	long value = 0;
	int err;

	err = open_target(pid, &stop, &ctl);
	if (!err)
		err = compel_infect(ctl, &probe_blob, 300000);
	for (int i = 0; i < 3 && !err; i++)
		err = compel_command(ctl, PROBE_STATICS, &value);
	if (!err)
		err = compel_args_write(ctl, 299990, "0123456789", 10);
	if (!err && compel_args_write(ctl, 299991, "0123456789", 10) != -EINVAL)
		err = -ERANGE;
	memcpy(&counter, (const char *)probe_blob.bytes + probe_blob_export_counter, sizeof(counter));
	if (!err)
		err = compel_cure(ctl);
	compel_detach(pid, &stop);
	report("blob_statics", !err && value == 803 && counter == 5 && makes_progress(), "%s, value %ld, counter %u",
	       strerror(-err), value, counter);
	end_victim(pid);
}

/* A missing process, a zombie and a second tracer give different errors. */
static void refusals(void)
{
	pid_t pid = start(count_forever), gone;
	struct compel_stop stop;
	int zombie, missing, status;

	kill(pid, SIGKILL);
	wait_state(pid, 'Z');
	zombie = compel_seize(pid, true);
	waitpid(pid, NULL, 0);
	missing = compel_seize(pid, true);
	report("refuse_dead", zombie == -ESRCH && missing == -ESRCH, "%d %d", zombie, missing);

	pid = start(count_forever);
	compel_seize(pid, true);
	compel_wait_stop(pid, &stop);
	gone = fork();
	if (!gone)
		_exit(compel_seize(pid, true) == -EBUSY ? 0 : 1);
	waitpid(gone, &status, 0);
	report("refuse_traced", !status, "status %#x", status);
	report("kill", !compel_kill(pid, &pid, 1) && kill(pid, 0) && errno == ESRCH, "still there");
}

int main(int argc, char **argv)
{
	int rounds = argc > 1 ? atoi(argv[1]) : 20;

	s = shared_page();
	plain_case("plain", count_forever);
	group_stop();
	stop_while_traced();
	seccomp_case("seccomp_strict", strict_body);
	seccomp_case("seccomp_filter", filter_body);
	plain_case("full_mask", masked_body);
	plain_case("every_signal_caught", caught_body);
	plain_case("alternate_stack", alternate_body);
	plain_case("no_stack", no_stack_body);
	plain_case("no_vdso", no_vdso_body);
	plain_case("mdwe", mdwe_body);
	pending_signals();
	signals_while_stopping(rounds);
	blob_fault();
	blob_statics();
	dispatch();
	refusals();
	return test_result();
}
