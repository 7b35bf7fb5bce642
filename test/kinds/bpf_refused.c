// SPDX-License-Identifier: GPL-2.0-only
/*
 * A map used by a BPF program, and the program itself, are refused by name.
 * test: refused='(?s)(?=.*fd.*\b300\b.*BPF.map.*used.by.BPF.program)(?=.*fd.*\b301\b.*BPF.program)(?=.*fd.*\b302\b.*BPF.map.*type.22)'
 */
#include "checkpoint.h"
#include <linux/bpf.h>
#include <sys/syscall.h>

static int bpf(int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int make(uint32_t type, uint32_t key)
{
	union bpf_attr attr = { .map_type = type, .key_size = key, .value_size = 8, .max_entries = 4 };
	int fd = bpf(BPF_MAP_CREATE, &attr);

	if (fd < 0 && (errno == EPERM || errno == ENOSYS))
		test_skip("no bpf(2)");
	need(fd >= 0, "map of type %u", type);
	return fd;
}

int main(int argc, char **argv)
{
	int map, prog, queue;

	test_init(argc, argv);
	map = make(BPF_MAP_TYPE_ARRAY, 4);
	queue = make(BPF_MAP_TYPE_QUEUE, 0);
	/* r1 = map; r0 = 0; exit */
	struct bpf_insn code[] = {
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 1, .src_reg = BPF_PSEUDO_MAP_FD, .imm = map },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = { 0 };

	attr.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
	attr.insns = (uintptr_t)code;
	attr.insn_cnt = 4;
	attr.license = (uintptr_t) "GPL";
	prog = bpf(BPF_PROG_LOAD, &attr);
	need(prog >= 0, "program");
	need(dup2(map, 300) == 300 && dup2(prog, 301) == 301 && dup2(queue, 302) == 302, "dup2");
	close(map);
	close(prog);
	close(queue);
	if (checkpoint_here())
		close(301);
	check(fcntl(300, F_GETFD) >= 0 && fcntl(301, F_GETFD) >= 0, "gone");
	test_done();
}
