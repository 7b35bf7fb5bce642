// SPDX-License-Identifier: LGPL-2.1-only
/*
 * Finds places for injected code.
 *
 * The cave must be executable and unused by the target. The first choice is the end of the vDSO: its ELF file usually
 * ends well before its last page does. Without a vDSO it is the padding after the code of a mapped file: writing there
 * gives the target a private copy of that page, so that it counts as modified afterwards, though its bytes are the
 * same.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/uio.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "ctl.h"

#define CAVE_ALIGN 16

int ctl_read_maps(struct compel_ctl *ctl, pid_t tid)
{
	int err;

	free(ctl->maps);
	ctl->maps = NULL;
	ctl->nr_maps = 0;
	err = target_maps(tid, &ctl->maps, &ctl->nr_maps);
	return err ? ctl_set_error(ctl, err, "cannot read /proc/%d/maps", tid) : 0;
}

#define VDSO_HEAD 1024

/* The length of the vDSO's ELF file, from its first bytes: headers, segments and sections. */
static int elf_len(const char head[VDSO_HEAD], uint64_t *ret_len)
{
	Elf64_Ehdr h;
	Elf64_Phdr ph;
	uint64_t end;

	memcpy(&h, head, sizeof(h));
	if (memcmp(h.e_ident, ELFMAG, SELFMAG) || h.e_phentsize != sizeof(ph) || h.e_phoff > VDSO_HEAD ||
	    h.e_phnum * sizeof(ph) > VDSO_HEAD - h.e_phoff)
		return -ENOEXEC;
	end = MAX_OF(h.e_phoff + h.e_phnum * sizeof(ph), h.e_shoff + (uint64_t)h.e_shnum * h.e_shentsize);
	for (unsigned int i = 0; i < h.e_phnum; i++) {
		memcpy(&ph, head + h.e_phoff + i * sizeof(ph), sizeof(ph));
		end = MAX_OF(end, ph.p_offset + ph.p_filesz);
		if (ph.p_type == PT_LOAD)
			end = MAX_OF(end, ph.p_offset + ph.p_memsz);
	}
	*ret_len = end;
	return 0;
}

/* The first aligned run of @len zero bytes; @size: there is none. */
static size_t zero_run(const char *bytes, size_t size, size_t len)
{
	size_t start = 0;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i])
			start = ROUND_UP(i + 1, CAVE_ALIGN);
		else if (i + 1 >= start + len)
			return start;
	}
	return size;
}

uint64_t cave_in_own_vdso(void)
{
	static uint64_t known;
	const char *vdso = (const char *)getauxval(AT_SYSINFO_EHDR);
	uint64_t len;
	size_t size, at;

	if (known || !vdso || elf_len(vdso, &len))
		return known;
	len = ROUND_UP(len, CAVE_ALIGN);
	size = ROUND_UP(len, PAGE_SZ) - len;
	at = zero_run(vdso + len, size, arch_cave_size());
	if (at < size)
		known = len + at;
	return known;
}

/*
 * A dead tracer could not zero its cave. leftovers_finish has made sure that no thread is in it; handlers may return into it.
 * @bytes are at @from. With @reuse, which comes second, it counts as zero.
 */
static void find_dead_caves(struct compel_ctl *ctl, uint64_t from, char *bytes, size_t size, bool reuse)
{
	size_t len = arch_cave_size();
	char sign[CAVE_SIGNATURE_LEN];

	arch_cave_signature(sign);
	for (size_t i = 0; i + len <= size; i += CAVE_ALIGN) {
		if (memcmp(bytes + i, sign, sizeof(sign)))
			continue;
		if (!reuse)
			ctl->caves_in_use |= handlers_skip_cave(ctl, from + i, bytes + i) != 0;
		else if (!ctl->caves_in_use)
			memset(bytes + i, 0, len);
	}
}

/* Sets ctl->cave, in [from, to); with @reuse caves of dead tracers count as zero. */
static int place_between(struct compel_ctl *ctl, uint64_t from, uint64_t to, bool reuse)
{
	_cleanup_free_ char *bytes = NULL;
	size_t size, at;

	from = ROUND_UP(from, CAVE_ALIGN);
	if (from >= to)
		return -ENOEXEC;
	size = to - from;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	if (target_read(ctl->mem, from, bytes, size))
		return -ENOEXEC;
	find_dead_caves(ctl, from, bytes, size, reuse);
	at = zero_run(bytes, size, ctl->cave_len);
	if (at == size)
		return -ENOEXEC;
	ctl->cave = from + at;
	return 0;
}

static int place_in_vdso(struct compel_ctl *ctl, const struct target_map *map, bool reuse)
{
	char head[VDSO_HEAD];
	uint64_t len;

	if (target_read(ctl->mem, map->start, head, sizeof(head)) || elf_len(head, &len) ||
	    len >= map->end - map->start)
		return -ENOEXEC;
	return place_between(ctl, map->start + len, map->end, reuse);
}

static int place_in_maps(struct compel_ctl *ctl, bool vdso, bool reuse)
{
	for (size_t i = 0; i < ctl->nr_maps; i++) {
		const struct target_map *m = &ctl->maps[i];
		int err = -ENOEXEC;

		if (vdso && m->vdso)
			err = place_in_vdso(ctl, m, reuse);
		else if (!vdso && m->exec && !m->shared && m->file)
			err = place_between(ctl, m->end - PAGE_SZ, m->end, reuse);
		if (err != -ENOEXEC)
			return err;
	}
	return -ENOEXEC;
}

int cave_place(struct compel_ctl *ctl, size_t len)
{
	int err = -ENOEXEC;

	ctl->cave_len = len;
	/* Unused space first: not every handler that returns into a dead tracer's cave can be found (swapcontext(3)). */
	for (int how = 0; how < 4 && err == -ENOEXEC; how++)
		err = place_in_maps(ctl, how < 2, how & 1);
	if (!err)
		return 0;
	return ctl_set_error(
		ctl, err,
		"no space for code: neither the vDSO nor a mapped program file has %zu unused bytes at its end", len);
}

int cave_occupied(pid_t tid, uint64_t ip)
{
	size_t code = arch_cave_size();
	_cleanup_free_ char *bytes = malloc(code + CAVE_SIGNATURE_LEN);
	char sign[CAVE_SIGNATURE_LEN];
	struct iovec to = { bytes, code + CAVE_SIGNATURE_LEN };
	uint64_t from;
	ssize_t n;

	if (!bytes)
		return -ENOMEM;
	arch_cave_signature(sign);
	from = ip > code ? ip - code : 0;
	/* Perhaps only the page that contains ip is mapped. */
	n = process_vm_readv(tid, &to, 1, &(struct iovec){ (void *)from, to.iov_len }, 1, 0);
	if (n < CAVE_SIGNATURE_LEN) {
		from = MAX_OF(from, ROUND_DOWN(ip, PAGE_SZ));
		to.iov_len = MIN_OF(to.iov_len, ROUND_UP(ip + 1, PAGE_SZ) - from);
		n = process_vm_readv(tid, &to, 1, &(struct iovec){ (void *)from, to.iov_len }, 1, 0);
	}
	if (n < CAVE_SIGNATURE_LEN)
		return 0;
	return memmem(bytes, n, sign, CAVE_SIGNATURE_LEN) ? -EAGAIN : 0;
}

static int scratch_occupied(struct compel_ctl *ctl, uint64_t ip)
{
	const struct target_map *m = ctl_map_at(ctl, ip);
	struct scratch_head head;

	if (!m || !m->exec || m->file || target_read(ctl->mem, m->start, &head, sizeof(head)))
		return 0;
	return head.magic == SCRATCH_MAGIC ? -EAGAIN : 0;
}

bool thread_occupies(struct compel_ctl *ctl, pid_t tid, uint64_t *free_ip)
{
	struct compel_regs regs;
	uint64_t ip;

	/* Threads that we did not stop cannot be checked: the caller is responsible for them. */
	if (arch_read_regs(tid, &regs))
		return false;
	ip = arch_ip(&regs);
	if (ip == *free_ip)
		return false;
	if (cave_occupied(tid, ip) || scratch_occupied(ctl, ip))
		return true;
	*free_ip = ip;
	return false;
}

int scratch_place(const struct compel_ctl *ctl, size_t len, uint64_t *ret_address)
{
	uint64_t from = 16ul << 20, best = 0, best_from = 0;

	/* The middle of the largest gap, out of the way of growing stacks and heaps. */
	for (size_t i = 0; i <= ctl->nr_maps; i++) {
		uint64_t to = i < ctl->nr_maps ? MIN_OF(ctl->maps[i].start, USER_END) : USER_END;

		if (to > from && to - from > best) {
			best = to - from;
			best_from = from;
		}
		if (i < ctl->nr_maps)
			from = MAX_OF(from, ctl->maps[i].end);
	}
	if (best < len + 32 * PAGE_SZ)
		return -ENOMEM;
	*ret_address = ROUND_DOWN(best_from + (best - len) / 2, PAGE_SZ);
	return 0;
}
