// SPDX-License-Identifier: LGPL-2.1-only
/* Reads /proc of a target, and accesses its memory. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "arch.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "target.h"

/* Our headers are older than the kernels we run on. */
#ifndef PTRACE_GET_RSEQ_CONFIGURATION
#define PTRACE_GET_RSEQ_CONFIGURATION 0x420f
#endif
struct rseq_configuration {
	uint64_t pointer;
	uint32_t size, signature, flags, pad;
};

static int proc_open(pid_t tid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", tid, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

/* Reads a whole short file as a string. */
static int proc_read(pid_t tid, const char *name, char *buf, size_t size)
{
	_cleanup_close_ int fd = proc_open(tid, name, O_RDONLY);
	size_t have = 0;
	ssize_t n;

	if (fd < 0)
		return fd;
	while (have < size - 1 && (n = read(fd, buf + have, size - 1 - have)) != 0) {
		if (n < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		have += n;
	}
	buf[have] = 0;
	return have ? 0 : -ESRCH;
}

static uint64_t status_number(const char *text, const char *key, int base)
{
	const char *at = strstr(text, key);

	return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

int target_status(pid_t tid, struct compel_status *ret)
{
	char text[8192];
	int err = proc_read(tid, "status", text, sizeof(text));

	if (err)
		return err;
	ret->pending = status_number(text, "\nSigPnd:", 16) | status_number(text, "\nShdPnd:", 16);
	ret->ignored = status_number(text, "\nSigIgn:", 16);
	ret->caught = status_number(text, "\nSigCgt:", 16);
	ret->seccomp = (int)status_number(text, "\nSeccomp:", 10);
	ret->cpu = -1;
	return 0;
}

/* Ignored unless there is a handler. */
#define QUIET (BIT(SIGCHLD - 1) | BIT(SIGCONT - 1) | BIT(SIGURG - 1) | BIT(SIGWINCH - 1))

int target_quiet_signal(const struct compel_status *s, uint64_t mask)
{
	/* Neither signals with side effects (SIGCONT, stops) nor those sent by faults. */
	static const int candidates[] = {
		SIGURG, SIGWINCH, SIGPIPE, SIGHUP, SIGUSR1, SIGUSR2, SIGINT, SIGQUIT, SIGALRM, SIGIO, SIGTERM, SIGCHLD,
	};

	for (size_t i = 0; i < ARRAY_SIZE(candidates); i++)
		if ((s->ignored | (QUIET & ~s->caught)) & ~mask & BIT(candidates[i] - 1))
			return candidates[i];
	return 0;
}

uint64_t target_deliverable(const struct compel_status *s, uint64_t mask)
{
	return s->pending & ~mask & ~s->ignored & ~(QUIET & ~s->caught);
}

int target_tracer(pid_t tid)
{
	char text[8192];
	int err = proc_read(tid, "status", text, sizeof(text));

	return err ? err : (int)status_number(text, "\nTracerPid:", 10);
}

int target_tgid(pid_t tid)
{
	char text[8192];
	int err = proc_read(tid, "status", text, sizeof(text));

	return err ? err : (int)status_number(text, "\nTgid:", 10);
}

/*
 * Returns stat from field 3 on, after the name, which may contain anything. It is the thread's own: /proc/TID/stat
 * would add up all threads of the process, which may be many.
 */
static int stat_rest(pid_t tid, char *buf, size_t size, const char **ret_rest)
{
	char name[32];
	const char *end;
	int err;

	snprintf(name, sizeof(name), "task/%d/stat", tid);
	err = proc_read(tid, name, buf, size);

	if (err)
		return err;
	end = strrchr(buf, ')');
	if (!end || end[1] != ' ')
		return -EPROTO;
	*ret_rest = end + 2;
	return 0;
}

int target_state(pid_t tid)
{
	char buf[1024];
	const char *rest;
	int err = stat_rest(tid, buf, sizeof(buf), &rest);

	return err ? err : (unsigned char)rest[0];
}

/* The field with this number, from field 3 on. */
static const char *stat_field(const char *rest, int number)
{
	for (int field = 3; rest && field < number; field++) {
		rest = strchr(rest, ' ');
		rest = rest ? rest + 1 : NULL;
	}
	return rest;
}

int target_state_and_time(pid_t tid, uint64_t *ret_time)
{
	enum { UTIME = 14, STIME = 15 };
	const char *rest, *user, *system;
	char buf[1024];
	int err = stat_rest(tid, buf, sizeof(buf), &rest);

	if (err)
		return err;
	user = stat_field(rest, UTIME);
	system = stat_field(rest, STIME);
	if (!user || !system)
		return -EPROTO;
	*ret_time = strtoull(user, NULL, 10) + strtoull(system, NULL, 10);
	return (unsigned char)rest[0];
}

int target_cpu(pid_t tid)
{
	enum { PROCESSOR = 39 };
	char buf[1024];
	const char *rest;
	int err = stat_rest(tid, buf, sizeof(buf), &rest);

	if (err)
		return err;
	rest = stat_field(rest, PROCESSOR);
	return rest ? atoi(rest) : -EPROTO;
}

/* Parses a number followed by @end, and moves *@p past both. False if there is none, or another character follows. */
static bool parse_number(const char **p, int base, char end, uint64_t *ret)
{
	char *after;

	*ret = strtoull(*p, &after, base);
	if (after == *p || *after != end)
		return false;
	*p = after + 1;
	return true;
}

/* "7f12a000-7f12b000 r-xp 00001000 fd:01 1234    name" */
static bool parse_map(const char *line, struct target_map *ret)
{
	const char *perms, *p = line;
	uint64_t start, end, inode, skipped;

	if (!parse_number(&p, 16, '-', &start) || !parse_number(&p, 16, ' ', &end) || strnlen(p, 5) < 5 || p[4] != ' ')
		return false;
	perms = p;
	p += 5;
	if (!parse_number(&p, 16, ' ', &skipped) || !parse_number(&p, 16, ':', &skipped) ||
	    !parse_number(&p, 16, ' ', &skipped))
		return false;
	inode = strtoull(p, (char **)&p, 10);
	*ret = (struct target_map){
		.start = start,
		.end = end,
		.exec = perms[2] == 'x' && perms[0] == 'r',
		.shared = perms[3] == 's',
		.file = inode != 0,
		.vdso = !strcmp(p + strspn(p, " "), "[vdso]"),
	};
	return true;
}

/* Reads a whole file of any length as a string. */
static int proc_read_all(pid_t tid, const char *name, char **ret)
{
	_cleanup_close_ int fd = proc_open(tid, name, O_RDONLY);
	_cleanup_free_ char *text = NULL;
	size_t have = 0, capacity = 0;
	ssize_t n = 1;

	if (fd < 0)
		return fd;
	while (n) {
		if (capacity - have < 4096) {
			char *more = realloc(text, (capacity = capacity ? capacity * 2 : 16384) + 1);

			if (!more)
				return -ENOMEM;
			text = more;
		}
		n = read(fd, text + have, capacity - have);
		if (n < 0 && errno != EINTR)
			return -errno;
		have += n > 0 ? n : 0;
	}
	if (!have)
		return -ESRCH;
	text[have] = 0;
	*ret = steal_ptr(&text);
	return 0;
}

int target_maps(pid_t tid, struct target_map **ret, size_t *ret_nr)
{
	_cleanup_free_ struct target_map *maps = NULL;
	_cleanup_free_ char *text = NULL;
	size_t nr = 0, capacity = 0;
	int err = proc_read_all(tid, "maps", &text);

	if (err)
		return err;
	for (char *line = text, *end; *line; line = end + 1) {
		end = strchrnul(line, '\n');
		if (!*end)
			return -EPROTO;
		*end = 0;
		if (nr == capacity) {
			struct target_map *more =
				realloc(maps, (capacity = capacity ? capacity * 2 : 64) * sizeof(*maps));

			if (!more)
				return -ENOMEM;
			maps = more;
		}
		if (!parse_map(line, &maps[nr]))
			return -EPROTO;
		nr++;
	}
	*ret = steal_ptr(&maps);
	*ret_nr = nr;
	return 0;
}

int target_mem_open(pid_t tid)
{
	return proc_open(tid, "mem", O_RDWR);
}

int target_read(int mem, uint64_t address, void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(mem, (char *)data + done, len - done, (off_t)(address + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 && errno != EIO ? -errno : -EFAULT;
		done += n;
	}
	return 0;
}

/* Kernels can be configured so that /proc/PID/mem does not override page protection; ptrace still does. */
static int poke(pid_t tid, uint64_t address, const char *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		uint64_t at = (address + done) & ~7ull;
		size_t skip = address + done - at, n = MIN_OF(8 - skip, len - done);
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, tid, (void *)at, NULL);
		if (errno)
			return errno == EIO ? -EFAULT : -errno;
		memcpy((char *)&word + skip, data + done, n);
		if (ptrace(PTRACE_POKEDATA, tid, (void *)at, (void *)word))
			return errno == EIO ? -EFAULT : -errno;
		done += n;
	}
	return 0;
}

int target_write(int mem, pid_t tid, uint64_t address, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(mem, (const char *)data + done, len - done, (off_t)(address + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return poke(tid, address + done, (const char *)data + done, len - done);
		done += n;
	}
	return 0;
}

int target_sigmask(pid_t tid, uint64_t *ret_mask)
{
	return ptrace(PTRACE_GETSIGMASK, tid, (void *)sizeof(*ret_mask), ret_mask) ? -errno : 0;
}

int target_set_sigmask(pid_t tid, uint64_t mask)
{
	return ptrace(PTRACE_SETSIGMASK, tid, (void *)sizeof(mask), &mask) ? -errno : 0;
}

static bool peek(pid_t tid, uint64_t address, void *data, size_t len)
{
	struct iovec here = { data, len }, there = { (void *)address, len };

	return process_vm_readv(tid, &here, 1, &there, 1, 0) == (ssize_t)len;
}

/*
 * struct rseq: cpu_id_start, cpu_id, then the 64-bit address of the descriptor of the current critical section:
 * version, flags, start, length, abort address. The kernel sends a thread that it resumes in a critical section to the
 * abort address. Once our own code has run in the thread the kernel has forgotten the section, so this is read first.
 */
int target_rseq(pid_t tid, struct compel_snapshot *snapshot)
{
	struct rseq_configuration conf = { 0 };
	struct {
		uint32_t version, flags;
		uint64_t start, length, abort;
	} section;
	uint64_t pointer;

	if (ptrace((enum __ptrace_request)PTRACE_GET_RSEQ_CONFIGURATION, tid, (void *)sizeof(conf), &conf) < 0)
		return errno == EIO || errno == EINVAL ? 0 : -errno; /* not supported by this kernel */
	snapshot->rseq = conf.pointer;
	snapshot->rseq_size = conf.size;
	snapshot->rseq_signature = conf.signature;
	if (!conf.pointer)
		return 0;
	/* If the pointer is invalid the kernel would kill the thread for it anyway. */
	if (!peek(tid, conf.pointer + 8, &pointer, sizeof(pointer)) || !pointer)
		return 0;
	if (!peek(tid, pointer, &section, sizeof(section)))
		return 0;
	if (arch_ip(&snapshot->regs) - section.start < section.length)
		snapshot->rseq_abort = section.abort;
	return 0;
}

void target_pin(int cpu, struct cpu_pin *pin)
{
	unsigned long mask[ARRAY_SIZE(pin->old)] = { 0 };
	const unsigned int bits = 8 * sizeof(long);
	long n;

	if (cpu < 0 || cpu >= 1024 || (pin->set && pin->cpu == cpu))
		return;
	if (!pin->set) {
		n = syscall(SYS_sched_getaffinity, 0, sizeof(pin->old), pin->old);
		if (n <= 0)
			return;
		pin->len = n;
	}
	mask[cpu / bits] = 1ul << (cpu % bits);
	/* If the CPU is not allowed we remain where we were. */
	if (syscall(SYS_sched_setaffinity, 0, sizeof(mask), mask))
		return;
	pin->set = true;
	pin->cpu = cpu;
}

void target_unpin(struct cpu_pin *pin)
{
	if (pin->set)
		syscall(SYS_sched_setaffinity, 0, pin->len, pin->old);
	pin->set = false;
}
