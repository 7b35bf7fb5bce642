// SPDX-License-Identifier: GPL-2.0-only
/*
 * A map that is pinned in a bpf file system of the mount namespace: the dump refuses by name.
 * test: refused=contains.pinned.BPF.objects..a_map variants=refused flavours=container
 */
#include "checkpoint.h"
#include <linux/bpf.h>
#include <sys/mount.h>
#include <sys/syscall.h>

int main(int argc, char **argv)
{
	union bpf_attr map = { .map_type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 4, .max_entries = 1 };
	union bpf_attr pin = { 0 };
	long fd;

	test_init(argc, argv);
	mkdir("bpf", 0700);
	if (mount("bpf", "bpf", "bpf", 0, NULL))
		test_skip("no bpf file system");
	fd = syscall(SYS_bpf, BPF_MAP_CREATE, &map, sizeof(map));
	if (fd < 0)
		test_skip("no BPF maps");
	pin.pathname = (uintptr_t)test_path("bpf/a_map");
	pin.bpf_fd = (uint32_t)fd;
	need(!syscall(SYS_bpf, BPF_OBJ_PIN, &pin, sizeof(pin)), "pin");
	close((int)fd);
	if (checkpoint_here())
		unlink("bpf/a_map");
	check(!access("bpf/a_map", F_OK), "the pinned map");
	test_done();
}
