// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/bpf_call.h"
#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

int bpf_call(int command, union bpf_attr *attr)
{
	int ret = (int)syscall(__NR_bpf, command, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

int bpf_make_window(size_t size)
{
	union bpf_attr attr = { .map_type = BPF_MAP_TYPE_ARRAY,
				.key_size = 4,
				.value_size = size,
				.max_entries = 1,
				.map_flags = BPF_F_MMAPABLE };

	return bpf_call(BPF_MAP_CREATE, &attr);
}

int bpf_load(const struct bpf_insn *insns, unsigned n)
{
	union bpf_attr attr = { .prog_type = BPF_PROG_TYPE_SYSCALL,
				.prog_flags = BPF_F_SLEEPABLE,
				.insns = (uintptr_t)insns,
				.insn_cnt = n,
				.license = (uintptr_t) "GPL" };

	return bpf_call(BPF_PROG_LOAD, &attr);
}

int bpf_run(int prog)
{
	union bpf_attr attr = { .test = { .prog_fd = prog } };
	int err = bpf_call(BPF_PROG_TEST_RUN, &attr);

	return err < 0 ? err : 0;
}
