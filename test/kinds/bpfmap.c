// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF maps: hash, array, LRU hash, LPM trie, with their content; a frozen one; two descriptors of one map, one
 * read-only.
 * test: breaks=2 decode=yes ignore=map_id|memlock
 */
#include "checkpoint.h"
#include <linux/bpf.h>
#include <sys/syscall.h>

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int make(uint32_t type, uint32_t key, uint32_t value, uint32_t entries, uint32_t flags, const char *name)
{
	union bpf_attr attr = { 0 };
	int fd;

	attr.map_type = type;
	attr.key_size = key;
	attr.value_size = value;
	attr.max_entries = entries;
	attr.map_flags = flags;
	strcpy(attr.map_name, name);
	fd = (int)bpf(BPF_MAP_CREATE, &attr);
	if (fd < 0 && (errno == EPERM || errno == ENOSYS))
		test_skip("no bpf(2)");
	need(fd >= 0, "%s", name);
	return fd;
}

static int element(int cmd, int fd, const void *key, void *value)
{
	union bpf_attr attr = { 0 };

	attr.map_fd = (uint32_t)fd;
	attr.key = (uintptr_t)key;
	attr.value = (uintptr_t)value;
	return bpf(cmd, &attr) < 0 ? -errno : 0;
}

static struct bpf_map_info info_of(int fd)
{
	struct bpf_map_info info = { 0 };
	union bpf_attr attr = { 0 };

	attr.info.bpf_fd = (uint32_t)fd;
	attr.info.info_len = sizeof(info);
	attr.info.info = (uintptr_t)&info;
	check(!bpf(BPF_OBJ_GET_INFO_BY_FD, &attr), "info");
	return info;
}

struct prefix {
	uint32_t bits;
	uint8_t address[4];
};

int main(int argc, char **argv)
{
	int hash, array, lru, trie, reader, brk;
	struct prefix net = { 16, { 10, 9, 0, 0 } }, host = { 32, { 10, 9, 8, 7 } };
	union bpf_attr attr = { 0 };
	char value[40];
	uint64_t v;

	test_init(argc, argv);
	hash = make(BPF_MAP_TYPE_HASH, 8, 40, 1000, 0, "a_hash");
	array = make(BPF_MAP_TYPE_ARRAY, 4, 8, 100, 0, "an_array");
	lru = make(BPF_MAP_TYPE_LRU_HASH, 4, 8, 64, 0, "an_lru");
	trie = make(BPF_MAP_TYPE_LPM_TRIE, sizeof(net), 8, 10, BPF_F_NO_PREALLOC, "a_trie");
	for (uint64_t i = 0; i < 500; i++) {
		memset(value, (int)i, sizeof(value));
		need(!element(BPF_MAP_UPDATE_ELEM, hash, &i, value), "update");
	}
	for (uint32_t i = 0; i < 100; i++) {
		v = i * 1000003ull;
		need(!element(BPF_MAP_UPDATE_ELEM, array, &i, &v), "update");
	}
	for (uint32_t i = 0; i < 5; i++) {
		v = i;
		need(!element(BPF_MAP_UPDATE_ELEM, lru, &i, &v), "update");
	}
	v = 12345;
	need(!element(BPF_MAP_UPDATE_ELEM, trie, &net, &v), "update");
	attr.map_fd = (uint32_t)array;
	need(!bpf(BPF_MAP_FREEZE, &attr), "freeze");
	memset(&attr, 0, sizeof(attr));
	attr.map_id = info_of(hash).id;
	attr.open_flags = BPF_F_RDONLY;
	reader = (int)bpf(BPF_MAP_GET_FD_BY_ID, &attr);
	need(reader >= 0 && reader != hash, "another descriptor");

	brk = checkpoint_here();
	if (brk == 1) {
		v = 7;
		element(BPF_MAP_DELETE_ELEM, hash, &v, NULL);
	}
	if (brk == 2)
		dup2(lru, array);

	check(info_of(hash).max_entries == 1000 && !strcmp(info_of(hash).name, "a_hash"), "info");
	check(info_of(hash).id == info_of(reader).id, "the reader has another map");
	for (uint64_t i = 0; i < 501; i++) {
		int err = element(BPF_MAP_LOOKUP_ELEM, reader, &i, value);

		check(i < 500 ? !err && value[0] == (char)i && value[39] == (char)i : err == -ENOENT, "hash %lu: %d", i,
		      err);
	}
	v = 3;
	check(element(BPF_MAP_UPDATE_ELEM, reader, &v, value) == -EPERM, "the reader can write");
	check(!element(BPF_MAP_UPDATE_ELEM, hash, &v, value), "the writer cannot write");
	for (uint32_t i = 0; i < 100; i++)
		check(!element(BPF_MAP_LOOKUP_ELEM, array, &i, &v) && v == i * 1000003ull, "array %u: %lu", i, v);
	check(element(BPF_MAP_UPDATE_ELEM, array, &(uint32_t){ 1 }, &v) == -EPERM, "not frozen");
	check(!element(BPF_MAP_LOOKUP_ELEM, lru, &(uint32_t){ 4 }, &v) && v == 4, "lru: %lu", v);
	check(!element(BPF_MAP_LOOKUP_ELEM, trie, &host, &v) && v == 12345, "trie: %lu", v);
	test_done();
}
