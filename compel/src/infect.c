// SPDX-License-Identifier: LGPL-2.1-only
/* Puts a blob into a target, accesses its arguments, removes everything again. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "ctl.h"

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#define STACK_LEN (64ul << 10)

/*
 * The scratch area: head | arguments | stack | gate, code and constants of the blob | its data.
 * Only the part from the gate to the blob's data must be executable; some targets may not have memory that is writable
 * and executable.
 */
struct layout {
	size_t args, stack_top, gate, blob, data, end;
};

static struct layout lay_out(const struct compel_blob *blob, size_t args_size)
{
	struct layout l = { .args = 64 };

	l.stack_top = ROUND_UP(l.args + args_size, PAGE_SZ) + STACK_LEN;
	l.gate = l.stack_top;
	l.blob = l.gate + PAGE_SZ;
	l.data = l.blob + ROUND_UP(blob->rw_start, PAGE_SZ);
	l.end = l.blob + ROUND_UP(blob->size, PAGE_SZ);
	l.data = MIN_OF(l.data, l.end);
	return l;
}

/* Anonymous memory to be mapped in the target. */
struct mapping {
	uint64_t start;
	size_t len;
	int prot, flags;
};

static int map_at(struct compel_ctl *ctl, const struct cure *cure, const struct mapping *m, long *ret)
{
	const unsigned long args[6] = {
		m->start, m->len, m->prot, MAP_PRIVATE | MAP_ANONYMOUS | m->flags, -1ul, 0,
	};

	return thread_call(ctl, &ctl->main, &(struct injected_call){ SYS_mmap, args, cure }, ret);
}

/* Maps the scratch area; from then on every cure unmaps it. */
static int map_scratch(struct compel_ctl *ctl, const struct layout *l)
{
	const int rw = PROT_READ | PROT_WRITE;
	int prot = rw | PROT_EXEC, err;
	struct cure cure = { .mode = CURE_IF_MAPPED, .len = l->end };
	struct mapping code;
	long at = -EEXIST;

	for (int tries = 0; tries < 16 && at < 0; tries++) {
		/* A task that shares the address space and was not stopped may have mapped something there. */
		err = tries ? ctl_read_maps(ctl, ctl->main.tid) : 0;
		if (err)
			return err;
		err = scratch_place(ctl, l->end, &cure.start);
		if (err)
			return ctl_set_error(ctl, err, "no space for %zu bytes in the address space", l->end);
		err = map_at(ctl, &cure, &(struct mapping){ cure.start, l->end, prot, MAP_FIXED_NOREPLACE }, &at);
		if (err)
			return err;
		/* W^X policies (PR_SET_MDWE, SELinux): map the two parts separately. */
		if (at == -EACCES || at == -EPERM)
			prot = rw;
		else if (at != -EEXIST)
			break;
	}
	if (at < 0)
		return ctl_set_error(ctl, (int)at, "the target cannot map %zu bytes", l->end);
	if ((uint64_t)at !=
	    cure.start) /* an old kernel, for which it is only a hint; the cure would not have unmapped this */
		return ctl_set_error(ctl, -EOPNOTSUPP, "this kernel does not support MAP_FIXED_NOREPLACE");
	ctl->main.cure = (struct cure){ CURE_UNMAP, at, l->end };
	ctl->scratch = at;
	ctl->scratch_len = l->end;
	if (prot & PROT_EXEC)
		return 0;
	code = (struct mapping){ at + l->gate, l->data - l->gate, PROT_READ | PROT_EXEC, MAP_FIXED };
	err = map_at(ctl, &ctl->main.cure, &code, &at);
	if (!err && at < 0)
		err = ctl_set_error(ctl, (int)at, "the target is not permitted to map executable memory");
	return err;
}

static int unmap_scratch(struct compel_ctl *ctl)
{
	const struct cure keep = { .mode = CURE_KEEP };
	const unsigned long args[6] = { ctl->scratch, ctl->scratch_len };
	long ret;
	int err;

	if (!ctl->scratch_len)
		return 0;
	err = thread_call(ctl, &ctl->main, &(struct injected_call){ SYS_munmap, args, &keep }, &ret);
	if (err)
		return err;
	ctl->main.cure = keep;
	ctl->scratch_len = 0;
	return ret < 0 ? ctl_set_error(ctl, (int)ret, "the target cannot unmap the scratch area") : 0;
}

int compel_infect(struct compel_ctl *ctl, const struct compel_blob *blob, size_t args_size)
{
	const struct scratch_head head = { .magic = SCRATCH_MAGIC };
	const struct layout l = lay_out(blob, args_size);
	char gate[PAGE_SZ / 4] = { 0 };
	int err;

	if (ctl->scratch_len)
		return ctl_set_error(ctl, -EBUSY, "the target already contains a blob");
	if (blob->align > PAGE_SZ || blob->file_size > blob->size || blob->entry >= blob->file_size)
		return ctl_set_error(ctl, -EINVAL, "not a blob created by `compel pack`");
	err = map_scratch(ctl, &l);
	if (err)
		return err;
	memcpy(gate, &head, sizeof(head));
	memcpy(gate + 64, arch_gate_code(), arch_gate_size());
	err = target_write(ctl->mem, ctl->main.tid, ctl->scratch, &head, sizeof(head));
	if (!err)
		err = target_write(ctl->mem, ctl->main.tid, ctl->scratch + l.gate, gate, 64 + arch_gate_size());
	if (!err)
		err = target_write(ctl->mem, ctl->main.tid, ctl->scratch + l.blob, blob->bytes, blob->file_size);
	if (err) {
		unmap_scratch(ctl);
		return ctl_set_error(ctl, err, "cannot write the blob");
	}
	ctl->args = ctl->scratch + l.args;
	ctl->args_len = args_size;
	ctl->stack = ctl->scratch + l.stack_top;
	ctl->gate = ctl->scratch + l.gate + 64;
	ctl->blob = ctl->scratch + l.blob;
	ctl->entry = ctl->blob + blob->entry;
	return 0;
}

uint64_t compel_args_address(const struct compel_ctl *ctl)
{
	return ctl->args;
}

static int args_copy(struct compel_ctl *ctl, size_t offset, void *data, size_t len, bool write)
{
	if (!ctl->scratch_len || offset > ctl->args_len || len > ctl->args_len - offset)
		return ctl_set_error(ctl, -EINVAL, "outside the blob's arguments");
	while (len) {
		struct iovec here = { data, len }, there = { (void *)(ctl->args + offset), len };
		ssize_t n = write ? process_vm_writev(ctl->main.tid, &here, 1, &there, 1, 0) :
				    process_vm_readv(ctl->main.tid, &here, 1, &there, 1, 0);

		if (n <= 0)
			return ctl_set_error(ctl, n ? -errno : -EFAULT, "cannot access the blob's arguments");
		data = (char *)data + n;
		offset += n;
		len -= n;
	}
	return 0;
}

int compel_args_write(struct compel_ctl *ctl, size_t offset, const void *data, size_t len)
{
	return args_copy(ctl, offset, (void *)data, len, true);
}

int compel_args_read(struct compel_ctl *ctl, size_t offset, void *data, size_t len)
{
	return args_copy(ctl, offset, data, len, false);
}

int compel_cure(struct compel_ctl *ctl)
{
	_cleanup_free_ char *zero = NULL;
	int err = 0, e;

	if (!ctl)
		return 0;
	if (ctl->main.parked) {
		err = unmap_scratch(ctl);
		if (err)
			err = unmap_scratch(ctl); /* retried: nothing else unmaps it */
		e = thread_restore(ctl, &ctl->main);
		err = err ? err : e;
		/* Last: the cave must be intact while a register points into it. */
		if (!ctl->not_restored) {
			zero = calloc(1, ctl->cave_len);
			e = !zero ? -ENOMEM : target_write(ctl->mem, ctl->main.tid, ctl->cave, zero, ctl->cave_len);
		}
		err = err ? err : e;
	}
	target_unpin(&ctl->pin);
	free(ctl->maps);
	if (ctl->mem >= 0)
		close(ctl->mem);
	free(ctl);
	return err;
}
