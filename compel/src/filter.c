// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Reads the filters of a thread with PTRACE_SECCOMP_GET_FILTER and runs them here. The kernel accepts a small subset of
 * classic BPF as a filter (seccomp_check_filter in kernel/seccomp.c): loads from struct seccomp_data only, forward
 * jumps only, 16 words of memory. See seccomp(2).
 */
#include "filter.h"
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>

#include "arch.h"
#include "base/bits.h"
#include "target.h"

#define GET_FILTER ((enum __ptrace_request)0x420c)
#define INSNS_MAX 4096 /* BPF_MAXINSNS */
#define REFUSE SECCOMP_RET_KILL_PROCESS

static uint32_t alu(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_ADD:
		return a + b;
	case BPF_SUB:
		return a - b;
	case BPF_MUL:
		return a * b;
	case BPF_DIV:
		return a / b;
	case BPF_AND:
		return a & b;
	case BPF_OR:
		return a | b;
	case BPF_XOR:
		return a ^ b;
	case BPF_LSH:
		return a << (b & 31);
	case BPF_RSH:
		return a >> (b & 31);
	}
	return -a; /* BPF_NEG */
}

static bool condition(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	}
	return a & b; /* BPF_JSET */
}

struct machine {
	uint32_t a, x, memory[BPF_MEMWORDS];
};

static uint32_t load(const struct machine *m, const struct sock_filter *i, const struct seccomp_data *data)
{
	uint32_t word = 0;

	switch (BPF_MODE(i->code)) {
	case BPF_ABS:
		if (i->k <= sizeof(*data) - sizeof(word))
			memcpy(&word, (const char *)data + i->k, sizeof(word));
		return word;
	case BPF_LEN:
		return sizeof(*data);
	case BPF_MEM:
		return m->memory[i->k % BPF_MEMWORDS];
	}
	return i->k; /* BPF_IMM */
}

/* Returns the filter's return value: SECCOMP_RET_*. */
static uint32_t run(const struct sock_filter *insns, size_t nr, const struct seccomp_data *data)
{
	struct machine m = { 0 };

	for (size_t at = 0; at < nr; at++) {
		const struct sock_filter *i = &insns[at];
		uint32_t operand = BPF_SRC(i->code) == BPF_X ? m.x : i->k;

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			m.a = load(&m, i, data);
			break;
		case BPF_LDX:
			m.x = load(&m, i, data);
			break;
		case BPF_ST:
			m.memory[i->k % BPF_MEMWORDS] = m.a;
			break;
		case BPF_STX:
			m.memory[i->k % BPF_MEMWORDS] = m.x;
			break;
		case BPF_ALU:
			if (BPF_OP(i->code) == BPF_DIV && !operand)
				return REFUSE;
			m.a = alu(BPF_OP(i->code), m.a, operand);
			break;
		case BPF_JMP:
			at += BPF_OP(i->code) == BPF_JA		       ? i->k :
			      condition(BPF_OP(i->code), m.a, operand) ? i->jt :
									 i->jf;
			break;
		case BPF_RET:
			return BPF_RVAL(i->code) == BPF_A ? m.a : i->k;
		case BPF_MISC:
			if (BPF_MISCOP(i->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
			break;
		}
	}
	return REFUSE;
}

static bool allows(uint32_t action, bool again)
{
	action &= SECCOMP_RET_ACTION_FULL;
	return action == SECCOMP_RET_ALLOW || action == SECCOMP_RET_LOG || (again && action == SECCOMP_RET_USER_NOTIF);
}

/* Without permission to read filters: are there any? */
static enum filter_verdict by_status(pid_t tid)
{
	struct compel_status status;

	if (target_status(tid, &status))
		return FILTER_UNKNOWN;
	return status.seccomp ? FILTER_UNKNOWN : FILTER_NONE;
}

enum filter_verdict filter_query(pid_t tid, const struct compel_regs *regs, long nr, bool again)
{
	struct sock_filter insns[INSNS_MAX];
	struct seccomp_data data;

	/* Without a buffer first, as most threads have none. EINVAL: none, or strict mode, where no call blocks. */
	if (ptrace(GET_FILTER, tid, NULL, NULL) < 0)
		return errno == EINVAL ? FILTER_NONE : by_status(tid);
	arch_seccomp_data(regs, nr, &data);
	for (unsigned long layer = 0;; layer++) {
		long count = ptrace(GET_FILTER, tid, (void *)layer, insns);

		if (count < 0)
			return errno == ENOENT ? FILTER_PASS : FILTER_UNKNOWN;
		if (!allows(run(insns, count, &data), again))
			return FILTER_REFUSE;
	}
}

bool compel_may_call(pid_t tid, long nr)
{
	struct compel_regs regs;
	enum filter_verdict verdict;

	if (arch_read_regs(tid, &regs))
		return false;
	verdict = filter_query(tid, &regs, nr, false);
	return verdict == FILTER_NONE || verdict == FILTER_PASS;
}
