/* SPDX-License-Identifier: GPL-2.0-only */
/* The image of an address space: every VMA, the fields of the mm, the mapped files. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "kernel/device.h"
#include "memory/aio.h"
#include "memory/dump_memory.h"
#include "memory/mapped_open.h"
#include "memory/memory.h"
#include "memory/shmem.h"
#include "pie/vma.h"
#include "util/fds.h"
#include "util/log.h"

#define FLAG(f) (1ull << (f))
#define ANON_SHMEM "[anon_shmem:" /* Linux 6.2, CONFIG_ANON_VMA_NAME */

static uint64_t advice(const struct vma_flags *f)
{
	static const struct {
		enum vm_flag flag;
		int advice;
	} table[] = {
		{ VMF_RR, MADV_RANDOM },     { VMF_SR, MADV_SEQUENTIAL }, { VMF_DC, MADV_DONTFORK },
		{ VMF_DD, MADV_DONTDUMP },   { VMF_MG, MADV_MERGEABLE },  { VMF_HG, MADV_HUGEPAGE },
		{ VMF_NH, MADV_NOHUGEPAGE }, { VMF_WF, MADV_WIPEONFORK },
	};
	uint64_t bits = 0;

	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (f->flags & FLAG(table[i].flag))
			bits |= 1ull << table[i].advice;
	return bits;
}

static uint32_t map_flags(const struct kernel_vma *v, const struct vma_flags *f)
{
	uint32_t flags = v->shared ? MAP_SHARED : f->flags & FLAG(VMF_DP) ? VMA_DROPPABLE : MAP_PRIVATE;

	if (f->flags & FLAG(VMF_GD))
		flags |= MAP_GROWSDOWN;
	if (f->flags & FLAG(VMF_LO))
		flags |= MAP_LOCKED;
	if (f->flags & FLAG(VMF_NR))
		flags |= MAP_NORESERVE;
	if (f->flags & FLAG(VMF_HT))
		flags |= MAP_HUGETLB | (uint32_t)__builtin_ctzll(f->page_kb << 10) << MAP_HUGE_SHIFT;
	return flags;
}

static uint64_t mapped_key(uint32_t kdev, uint64_t ino, unsigned flags)
{
	return hash_mix(hash_mix(kdev) ^ ino) ^ flags;
}

/*
 * Shared memory that a restore without RIGHT_MAP_FILES has made (segments.c), and such a dump cannot open. A file of a
 * program is known by its descriptor.
 */
static bool is_substitute(const struct dump *dump, const struct kernel_vma *v)
{
	uint64_t known;

	return v->shared && (str_eq(v->name, "/memfd:dev/zero") || str_eq(v->name, "/memfd:anon_hugepage")) &&
	       !rights_may(&dump->rights, RIGHT_MAP_FILES) &&
	       !hash_get(&dump->memory->mapped_ids, mapped_key(kdev_make(v->dev_major, v->dev_minor), v->ino, O_RDWR),
			 &known);
}

static enum shm_sort sort_of(const struct dump *dump, const struct kernel_vma *v, const struct vma_flags *f)
{
	enum shm_sort sort = v->deleted ? shm_sort_by_name(v->name, strlen(v->name)) : SHM_NONE;

	if (sort == SHM_MEMFD && is_substitute(dump, v))
		sort = SHM_ANONYMOUS;

	/* A name given by prctl(PR_SET_VMA) is shown instead of the other one. */
	if (str_has_prefix(v->name, ANON_SHMEM))
		sort = SHM_ANONYMOUS;

	if (sort == SHM_NONE || (f->flags & FLAG(VMF_HT)))
		return sort;
	return shm_is_kernels(kdev_to_dev(kdev_make(v->dev_major, v->dev_minor))) ? sort : SHM_NONE;
}

/*
 * Private memory of huge pages is a file, too, usually one without other users. Its own pages are not pages of that
 * file.
 */
static int is_private_huge(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, bool *ret)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	*ret = false;
	if (shmem_is_file(dump, kdev_make(v->dev_major, v->dev_minor), v->ino))
		return 0;
	/* Nothing else has that name, and no descriptor of it exists. */
	if (!rights_may(&dump->rights, RIGHT_MAP_FILES)) {
		*ret = true;
		return 0;
	}
	fd = memory_open_mapped(dump, dt, v);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return fail(-errno, "open what is mapped at %lx (%s)", v->start, v->name);
	*ret = !st.st_blocks;
	return 0;
}

int memory_mapping_is(struct dump *dump, const struct stat *st, uint32_t id)
{
	uint32_t kdev = dev_to_kdev(st->st_dev);
	int err = hash_put(&dump->memory->mapped_ids, mapped_key(kdev, st->st_ino, O_RDWR), id);

	if (!err)
		err = hash_put(&dump->memory->mapped_ids, mapped_key(kdev, st->st_ino, O_RDONLY), id);
	return err < 0 ? fail(err, "mappings of a descriptor") : 0;
}

static int mapped_file_id(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, unsigned flags,
			  uint32_t *ret_id)
{
	/* The inode number of a SysV segment is its id. */
	bool sysv = v->deleted && str_has_prefix(v->name, "/SYSV");
	uint64_t key = mapped_key(kdev_make(v->dev_major, v->dev_minor), v->ino | (uint64_t)sysv << 63, flags);
	const size_t blockers = dump->blockers.nr;
	_cleanup_close_ int fd = -1;
	char link[4096 + 16];
	uint64_t known;
	int err;

	if (dump->memory->mapped_last.key == key && key) {
		*ret_id = dump->memory->mapped_last.id;
		return 0;
	}
	if (hash_get(&dump->memory->mapped_ids, key, &known)) {
		*ret_id = known;
		return 0;
	}
	if (str_has_prefix(v->name, "anon_inode:") || str_has_prefix(v->name, "socket:[")) {
		dump_blocker(
			dump, dt, -1, "mapping %lx-%lx %s: no task of the tree has its descriptor any more%s: unmap it",
			v->start, v->end, v->name,
			v->name[0] == 's' ? ", or it is not the ring of a packet socket, and cannot be saved" : "");
		return 0;
	}
	fd = memory_open_mapped(dump, dt, v);
	if (fd < 0)
		return dump->blockers.nr > blockers ? 0 : fd;
	snprintf(link, sizeof(link), "%s%s", v->name, v->deleted ? " (deleted)" : "");
	err = dump->path_file_id(dump, &(struct dump_path){ dt, fd, link, flags }, ret_id);
	if (err)
		return err;
	dump->memory->mapped_last.key = key;
	dump->memory->mapped_last.id = *ret_id;
	return hash_put(&dump->memory->mapped_ids, key, *ret_id);
}

static int fill_segment(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, enum shm_sort sort,
			VmaEntry *e)
{
	uint32_t shmid = (uint32_t)v->ino;
	int err = 0;

	if (sort == SHM_ANONYMOUS)
		err = shmem_id(dump, kdev_make(v->dev_major, v->dev_minor), v->ino, e->flags & MAP_HUGETLB, &shmid);
	if (err)
		return err;
	e->status |= VMA_ANON_SHARED | (sort == SHM_SYSV ? VMA_SYSV : 0);
	e->flags |= MAP_ANONYMOUS;
	e->shmid = shmid;
	e->pgoff = v->pgoff;
	return sort == SHM_SYSV && dt->ns[NS_IPC] && !dt->ns[NS_IPC]->own ? shmem_check_ns(dump, dt, v) :
									    shmem_note(dump, dt, v, e);
}

static int fill_file(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, const struct vma_flags *f,
		     VmaEntry *e)
{
	unsigned flags = v->shared && (f->flags & FLAG(VMF_MW)) ? O_RDWR : O_RDONLY;
	enum shm_sort sort = sort_of(dump, v, f);
	bool private_huge = false;
	uint32_t id = 0;
	int err = 0;

	if (v->shared && (sort == SHM_SYSV || sort == SHM_ANONYMOUS))
		return fill_segment(dump, dt, v, sort, e);
	if (sort == SHM_ANONYMOUS && (f->flags & FLAG(VMF_HT)))
		err = is_private_huge(dump, dt, v, &private_huge);
	if (err)
		return err;
	if (private_huge) {
		e->status |= VMA_ANON_PRIVATE;
		e->flags |= MAP_ANONYMOUS;
		return 0;
	}
	if (str_has_prefix(v->name, "socket:["))
		e->status |= VMA_SOCKET;
	else
		e->status |= v->shared ? VMA_FILE_SHARED : VMA_FILE_PRIVATE;
	if (sort != SHM_NONE)
		e->status |= VMA_MEMFD;
	e->pgoff = v->pgoff;
	err = mapped_file_id(dump, dt, v, flags, &id);
	e->shmid = err ? 0 : id;
	e->has_fdflags = 1;
	e->fdflags = flags;
	return err;
}

static int fill_vma(struct dump *dump, struct dump_task *dt, const struct kernel_vma *v, const struct vma_flags *f,
		    VmaEntry *e)
{
	e->start = v->start;
	e->end = v->end;
	e->fd = -1;
	e->prot = v->prot;
	e->status = VMA_REGULAR;
	e->flags = map_flags(v, f);
	e->madv = advice(f);
	if (!strcmp(v->name, "[vsyscall]")) {
		e->status = VMA_VSYSCALL | VMA_ANON_PRIVATE;
		e->flags = MAP_PRIVATE | MAP_ANONYMOUS;
		e->madv = 0;
	} else if (!strcmp(v->name, "[vdso]")) {
		e->status |= VMA_VDSO | VMA_ANON_PRIVATE;
		e->flags |= MAP_ANONYMOUS;
	} else if (str_has_prefix(v->name, "[vvar")) {
		e->status |= VMA_VVAR | VMA_ANON_PRIVATE;
		e->flags |= MAP_ANONYMOUS;
	} else if (aio_is_ring(v)) {
		e->status |= VMA_AIO_RING;
	} else if (v->ino || v->dev_major || v->dev_minor) {
		/* The first SysV segment of a namespace has id 0, and therefore inode number 0. */
		int err = fill_file(dump, dt, v, f, e);

		if (err)
			return err;
	} else {
		e->status |= VMA_ANON_PRIVATE;
		e->flags |= MAP_ANONYMOUS;
		if (!strcmp(v->name, "[heap]"))
			e->status |= VMA_HEAP;
	}
	if (str_has_prefix(v->name, "[anon"))
		e->anon_name = (char *)v->name;
	e->has_madv = e->madv != 0;
	e->has_lock_on_fault = e->lock_on_fault = !!(f->flags & FLAG(VMF_LF));
	e->has_sealed = e->sealed = !!(f->flags & FLAG(VMF_SL));
	return 0;
}

/* The memory policy of a mapping; @i: its index in the map. */
static int save_policy(struct dump *dump, struct dump_task *dt, size_t i, VmaEntry *e)
{
	const struct policy_array *policies = &dt->memory->policies;
	size_t *next = &dt->memory->policy_next;
	struct policy_fields policy;
	int err;

	while (*next < policies->n && policies->v[*next].index < i)
		(*next)++;
	if (*next == policies->n || policies->v[*next].index != i)
		return 0;
	err = memory_save_policy(dump, &policies->v[*next], &policy);
	if (err || !policy.is_set)
		return err;
	e->has_mempolicy = true;
	e->mempolicy = policy.mode;
	e->has_mempolicy_nodes = policy.nodes.len != 0;
	e->mempolicy_nodes = policy.nodes;
	return 0;
}

static int push_vma(struct vma_list *list, struct dump *dump, VmaEntry **ret_entry)
{
	VmaEntry *e = dump_alloc(dump, sizeof(*e));

	if (!e || array_add(list, e))
		return fail(-ENOMEM, "VMAs");
	vma_entry__init(e);
	*ret_entry = e;
	return 0;
}

/* Guard markers inside a mapping: separate entries after it. */
static int push_guards(struct dump *dump, struct dump_task *dt, const VmaEntry *in, struct vma_list *list)
{
	const struct page_regions *guards = &dt->memory->guards;
	size_t *next = &dt->memory->guard_next;

	for (; *next < guards->n && guards->v[*next].start < in->end; (*next)++) {
		const struct page_region *g = &guards->v[*next];
		VmaEntry *e;
		int err = push_vma(list, dump, &e);

		if (err)
			return err;
		e->start = MAX_OF(g->start, in->start);
		e->end = MIN_OF(g->end, in->end);
		e->fd = -1;
		e->prot = in->prot;
		e->flags = in->flags;
		e->status = VMA_GUARD;
		if (g->end > in->end)
			break;
	}
	return 0;
}

static int save_vmas(struct dump *dump, struct dump_task *dt, MmEntry *mm)
{
	struct vma_list list = { 0 };
	VmaEntry *last = NULL, *e;
	int err = 0;

	dt->memory->guard_next = dt->memory->policy_next = 0;
	for (size_t i = 0; !err && i < dt->maps.n; i++) {
		const struct kernel_vma *v = &dt->maps.v[i];

		/* [vvar] and [vvar_vclock] are adjacent and move together: one entry, as in CRIU's images. */
		if (last && (last->status & VMA_VVAR) && str_has_prefix(v->name, "[vvar") && last->end == v->start) {
			last->end = v->end;
			continue;
		}
		err = push_vma(&list, dump, &e);
		if (!err)
			err = fill_vma(dump, dt, v, &dt->vma_flags.v[i], e);
		if (!err)
			err = save_policy(dump, dt, i, e);
		if (!err)
			err = push_guards(dump, dt, e, &list);
		last = e;
	}
	mm->n_vmas = list.n;
	mm->vmas = dump_alloc(dump, (list.n + 1) * sizeof(*mm->vmas));
	if (!err && !mm->vmas)
		err = fail(-ENOMEM, "VMAs");
	if (!err)
		memcpy(mm->vmas, list.v, list.n * sizeof(*mm->vmas));
	array_free(&list);
	return err;
}

/* From /proc, up to the terminating pair. */
static int read_auxv(const struct dump_task *dt, struct buf *text)
{
	const uint64_t *known = dt->kernel ? dt->kernel->auxv : NULL;

	for (size_t i = 0; known && i < KERNEL_TASK_AUXV; i += 2)
		if (!known[i])
			return buf_add(text, known, (i + 2) * sizeof(*known));
	return read_record(dt->proc.dir, "auxv", text);
}

static int save_auxv(struct dump *dump, struct dump_task *dt, MmEntry *mm)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = read_auxv(dt, &text);
	size_t n = text.len / sizeof(uint64_t);

	if (err < 0)
		return fail(err, "read auxv");
	mm->mm_saved_auxv = dump_alloc(dump, text.len + 16);
	if (!mm->mm_saved_auxv)
		return fail(-ENOMEM, "auxv");
	memcpy(mm->mm_saved_auxv, text.data, n * sizeof(uint64_t));
	while (n >= 2 && !mm->mm_saved_auxv[n - 1] && !mm->mm_saved_auxv[n - 2])
		n -= 2;
	mm->n_mm_saved_auxv = n;
	return 0;
}

static int save_exe(struct dump *dump, struct dump_task *dt, MmEntry *mm)
{
	const uint64_t file = dt->kernel ? dt->kernel->exe_file : 0;
	_cleanup_close_ int fd = -1;
	char link[4096 + 16];
	ssize_t len;
	int err;

	if (file && file == dump->memory->exe_last.file) {
		mm->exe_file_id = dump->memory->exe_last.id;
		return 0;
	}
	fd = open_at(dt->proc.dir, "exe", O_PATH, 0);
	len = fd < 0 ? fd : read_link(dt->proc.dir, "exe", link, sizeof(link));
	if (len < 0)
		return fail(len, "open the executable of the process");
	err = dump->path_file_id(dump, &(struct dump_path){ dt, fd, link, O_RDONLY }, &mm->exe_file_id);
	dump->memory->exe_last.file = file;
	dump->memory->exe_last.id = mm->exe_file_id;
	return err;
}

int memory_save_mm(struct dump *dump, struct dump_task *dt, MmEntry **ret_mm)
{
	MmEntry *mm = dump_alloc(dump, sizeof(*mm));
	int err;

	if (!mm)
		return fail(-ENOMEM, "mm");
	mm_entry__init(mm);
	mm->mm_start_code = dt->stat.start_code;
	mm->mm_end_code = dt->stat.end_code;
	mm->mm_start_data = dt->stat.start_data;
	mm->mm_end_data = dt->stat.end_data;
	mm->mm_start_stack = dt->stat.start_stack;
	mm->mm_start_brk = dt->stat.start_brk;
	mm->mm_brk = dt->parasite->brk;
	mm->mm_arg_start = dt->stat.arg_start;
	mm->mm_arg_end = dt->stat.arg_end;
	mm->mm_env_start = dt->stat.env_start;
	mm->mm_env_end = dt->stat.env_end;
	mm->has_dumpable = 1;
	mm->dumpable = dt->parasite->dumpable;
	mm->has_thp_disabled = 1;
	mm->thp_disabled = dt->parasite->thp_disabled > 0;
	mm->has_mlock_future = dt->parasite->mlock_future != 0;
	mm->mlock_future = dt->parasite->mlock_future;
	err = memory_find_excluded(dump, dt);
	if (!err)
		err = memory_scan_pages(dump, dt);
	if (!err)
		err = save_exe(dump, dt, mm);
	if (!err)
		err = save_auxv(dump, dt, mm);
	if (!err)
		err = save_vmas(dump, dt, mm);
	if (!err)
		err = memory_arch_save(dump, dt, mm);
	if (!err)
		err = aio_save(dump, dt, mm);
	if (!err)
		*ret_mm = mm;
	return err;
}
