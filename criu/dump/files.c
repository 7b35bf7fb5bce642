/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors: which of them share a description, which kind each is; files.img and fdinfo-*.img. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "dump/dump.h"
#include "dump/probe_fd.h"
#include "kernel/proc_pid.h"
#include "run/dump.h"
#include "run/fs_answers.h"
#include "run/network.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

#ifndef O_LARGEFILE
#define O_LARGEFILE 0
#endif

/* A description whose kind needs to see it again when all file ids are known. */
struct late {
	struct late *next;
	struct fd_probe probe;
	const struct fd_kind *kind;
	FileEntry *entry;
};

/* A description that has been saved, for tasks that have inherited it. */
struct known_file {
	struct fd_probe probe; /* without what belongs to one task only */
	FdTypes type;
};

struct entries {
	FileEntry **v;
	size_t n, cap;
};

ARRAY_OF(fd_array, int);

struct file_pass {
	struct dump *dump;
	struct late *late;
	struct entries entries;
	struct hash types; /* what kcmp numbered -> file id, type */
	struct hash known; /* file id -> struct known_file */
	struct fd_array in_flight; /* found in sockets: needed by kcmp comparisons until the end of the pass */
	char link[4096 + 32]; /* of the current probe */
};

int dump_list_fds(struct dump_task *dt)
{
	struct int_array numbers = { 0 };
	int err = proc_fds(&dt->proc, &numbers);

	if (err < 0)
		return fail(err, "list /proc/%d/fd", dt->t.host_pid);
	dt->fds = calloc(numbers.n + 1, sizeof(*dt->fds));
	for (size_t i = 0; dt->fds && i < numbers.n; i++)
		dt->fds[i] = (struct fd_probe){ .task = dt, .fd = numbers.v[i], .local = -1, .mnt_id = -1 };
	dt->nr_fds = dt->fds ? numbers.n : 0;
	array_free(&numbers);
	return dt->fds ? 0 : fail(-ENOMEM, "descriptors");
}

static const struct fd_kind *kind_of(const struct fd_probe *probe)
{
	for (const struct fd_kind *const *kind = fd_kinds; *kind; kind++)
		if ((*kind)->claims(probe))
			return *kind;
	return NULL;
}

/* Positions distinguish most descriptions of one file, as long as they do not move. */
static uint64_t file_hash(const struct dump *dump, const struct fd_probe *probe)
{
	uint64_t h = hash_mix(probe->st.st_dev) ^ probe->st.st_ino;

	return hash_mix(h ^ hash_mix(probe->flags ^ (dump_is_check(dump) ? 0 : probe->pos << 32)));
}

/* Kinds that need none run in the tool's own. 1: a blocker was found. */
static int enter_network(struct dump *dump, const struct fd_kind *kind, const struct fd_probe *probe)
{
	struct ns *ns = NULL;
	int err = kind->in_network ? dump_network_of(dump, probe, &ns) : 0;

	if (!err && ns && dump_network_refused(dump, probe, ns))
		return 1;
	return err ? err : dump_enter_network(dump, ns);
}

static int save_new(struct file_pass *pass, struct fd_probe *probe, uint32_t id, FdTypes *ret_type)
{
	struct dump *dump = pass->dump;
	const struct fd_kind *kind = kind_of(probe);
	FileEntry *entry = dump_alloc(dump, sizeof(*entry));
	int err;

	if (!entry)
		return fail(-ENOMEM, "file entry");
	if (!kind) {
		dump_blocker(dump, probe->task, probe->fd, "%s: this type of descriptor is not supported", probe->link);
		return 0;
	}
	file_entry__init(entry);
	entry->type = kind->image_type;
	entry->id = id;
	dump->asked.kind = kind->name;
	dump->asked.path = probe->link;
	err = enter_network(dump, kind, probe);
	if (!err)
		err = kind->save(dump, probe, entry);
	if (!err)
		dump_need_rights(dump, probe, kind->restore_rights, kind->name);
	dump->asked.path = NULL;
	if (err)
		return err < 0 ? err : 0;
	log_debug("%s (%s), file %u", probe->link, kind->name, id);
	/* A kind that saved it in another form has changed the type (a terminal, a path). */
	*ret_type = entry->type;
	if (kind->save_late) {
		struct late *late = dump_alloc(dump, sizeof(*late));

		if (!late)
			return fail(-ENOMEM, "file entry");
		*late = (struct late){ .next = pass->late, .probe = *probe, .kind = kind, .entry = entry };
		late->probe.link = dump_strdup(dump, probe->link);
		late->probe.info = NULL; /* the first probe frees its own */
		late->probe.local = dup_fd_above(probe->local, 3);
		if (late->probe.local < 0)
			return fail(late->probe.local, "keep a descriptor");
		pass->late = late;
	}
	return array_add(&pass->entries, entry) ? fail(-ENOMEM, "file entry") : 0;
}

/* 1: a blocker was found, and the file must not be opened. */
static int show_to_kinds(struct dump *dump, struct fd_probe *probe, uint32_t id, bool fresh)
{
	const struct run_kind *kind;
	int err = 0;

	run_for_each_kind(kind)
		if (!err && kind->save_fd)
			err = kind->save_fd(dump, probe, id, fresh);
	return err;
}

struct saved_file {
	uint32_t id;
	FdTypes type;
	bool fresh; /* seen for the first time */
};

/* Saves the file of @probe; @pid and @fd tell kcmp where to find it. */
static int save_probe(struct file_pass *pass, struct fd_probe *probe, pid_t pid, int fd, struct saved_file *ret)
{
	struct dump *dump = pass->dump;
	FdTypes new_type = FD_TYPES__UND;
	struct kcmp_found found;
	uint64_t id, type;
	int err = kcmp_set_id(&dump->open_files, file_hash(dump, probe), pid, fd, &found);

	if (probe_is_gone(dump, err))
		return err;
	if (err)
		return fail(err, "compare descriptors");
	if (found.fresh) {
		id = dump_new_file_id(dump);
		/* First: opening by the save code may break a lease. */
		err = show_to_kinds(dump, probe, id, true);
		if (!err)
			err = save_new(pass, probe, id, &new_type);
		if (err >= 0)
			err = hash_put(&pass->types, found.id, id << 32 | new_type);
		if (err)
			return err;
	}
	hash_get(&pass->types, found.id, &type);
	*ret = (struct saved_file){ type >> 32, (uint32_t)type, found.fresh };
	return found.fresh ? 0 : show_to_kinds(dump, probe, ret->id, false);
}

static int remember_file(struct file_pass *pass, const struct fd_probe *probe, uint32_t id, FdTypes type)
{
	struct known_file *known = dump_alloc(pass->dump, sizeof(*known));

	if (!known)
		return fail(-ENOMEM, "descriptors");
	known->probe = *probe;
	known->probe.link = dump_strdup(pass->dump, probe->link);
	known->type = type;
	if (!known->probe.link || hash_put_ptr(&pass->known, id, known) < 0)
		return fail(-ENOMEM, "descriptors");
	return 0;
}

/* Does this descriptor number refer to the same description in both? */
static bool have_same(const struct dump_task *a, const struct dump_task *b, int fd)
{
	const struct kernel_task *ka = a->kernel, *kb = b->kernel;

	if (ka && kb && (size_t)fd < ka->nr_fds && (size_t)fd < kb->nr_fds)
		return ka->fds[fd] == kb->fds[fd];
	return !sys_kcmp(a->t.host_pid, b->t.host_pid, KCMP_WHAT_FILE, fd, fd);
}

/*
 * Usually, the parent's descriptor with this number is the same description: one comparison confirms that, and then
 * everything about it is known already. NULL: another description, or it cannot be compared.
 */
static const struct known_file *find_inherited(const struct file_pass *pass, const struct dump_task *dt, int fd,
					       uint32_t *ret_id)
{
	struct dump_task *parent = dt->t.parent ? dump_task_of(dt->t.parent) : NULL;
	const struct known_file *known;

	/* A running task may have another file here by now. */
	if (!parent || parent->t.state == TASK_DEAD || dump_is_check(pass->dump) ||
	    dump_file_id_of(pass->dump, parent, fd, ret_id))
		return NULL;
	known = hash_get_ptr(&pass->known, *ret_id);
	return known && have_same(dt, parent, fd) ? known : NULL;
}

static int save_inherited(struct file_pass *pass, struct fd_probe *probe, const struct known_file *known, uint32_t id)
{
	struct dump_task *dt = probe->task;
	const int fd = probe->fd;
	const bool cloexec = probe->cloexec;

	*probe = known->probe;
	probe->task = dt;
	probe->fd = fd;
	probe->cloexec = cloexec;
	probe->local = -1;
	probe->info = NULL;
	return show_to_kinds(pass->dump, probe, id, false);
}

static int save_other(struct file_pass *pass, struct dump_task *dt, struct fd_probe *probe, FdinfoEntry *line)
{
	struct saved_file file;
	int err = probe_fd(pass->dump, dt, probe, pass->link, sizeof(pass->link));

	probe->no_locks =
		!err && dt->kernel && kernel_file_has_no_locks(pass->dump->kernel_tasks, dt->kernel, probe->fd);
	if (!err)
		err = save_probe(pass, probe, dt->t.host_pid, probe->fd, &file);
	if (err)
		return err;
	line->id = file.id;
	line->type = file.type;
	return file.fresh ? remember_file(pass, probe, file.id, file.type) : 0;
}

static int save_fd(struct file_pass *pass, struct dump_task *dt, struct fd_probe *probe, struct image_writer *img)
{
	struct dump *dump = pass->dump;
	FdinfoEntry line = FDINFO_ENTRY__INIT;
	const struct known_file *known = find_inherited(pass, dt, probe->fd, &line.id);
	int err;

	if (known) {
		line.type = known->type;
		err = save_inherited(pass, probe, known, line.id);
	} else {
		err = save_other(pass, dt, probe, &line);
	}
	if (err)
		return err < 0 ? err : 0;
	line.flags = probe->cloexec ? FD_CLOEXEC : 0;
	line.fd = probe->fd;
	err = dump_remember_fd(dump, dt, probe->fd, line.id);
	if (!err)
		err = image_write_record(img, &line.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

/* A dump would fail as well; the log has the reason. */
static void note_unknown(struct dump *dump, const struct fd_probe *probe, int err)
{
	if (!probe_is_gone(dump, err))
		dump_blocker(dump, probe->task, probe->fd, "%s: cannot be examined: %s",
			     probe->link ? probe->link : "this descriptor", strerror(-err));
}

static int save_table(struct file_pass *pass, struct dump_task *dt)
{
	_cleanup_image_writer_ struct image_writer *img = NULL;
	int err = image_create(pass->dump->dir, IMAGE_FDINFO, dt->t.ids.files, &img);

	for (size_t i = 0; !err && i < dt->nr_fds; i++) {
		LOG_SCOPE("fd %d", dt->fds[i].fd);

		err = save_fd(pass, dt, &dt->fds[i], img);
		if (err && dump_is_check(pass->dump)) {
			note_unknown(pass->dump, &dt->fds[i], err);
			err = 0;
		}
		probe_forget(&dt->fds[i]);
	}
	if (err)
		return err;
	err = image_close(steal_ptr(&img));
	return err < 0 ? fail(err, "%s", image_store_error(pass->dump->dir)) : 0;
}

static int in_flight_file_id(struct dump *dump, struct dump_task *task, int local, uint32_t *ret_id)
{
	struct file_pass *pass = dump->file_pass;
	struct fd_probe probe = { .task = task, .fd = -1, .local = local };
	struct saved_file file = { 0 };
	const struct ns *network = dump_network(dump);
	int err = array_add(&pass->in_flight, local), back;
	ssize_t len;

	if (err) {
		close(local);
		return fail(err, "descriptor in flight");
	}
	len = proc_fd_read_link(local, pass->link, sizeof(pass->link));
	if (len < 0)
		return fail(len, "readlink /proc/self/fd/%d", local);
	probe.link = pass->link;
	err = dump_path_answers(dump, task, local, probe.link) ? probe_local(&probe) : -EOPNOTSUPP;
	if (!err)
		err = save_probe(pass, &probe, getpid(), local, &file);
	back = dump_enter_network(dump, network);
	err = err ? err : back;
	probe.local = -1;
	probe_forget(&probe);
	if (!file.fresh) {
		close(local);
		pass->in_flight.n--;
	}
	if (!err)
		*ret_id = file.id;
	return err;
}

/* A description found in flight may itself be a socket with more of them: repeat until there are no new ones. */
static int save_late(struct file_pass *pass)
{
	int err = 0;

	while (pass->late) {
		struct late *late = pass->late;

		pass->late = late->next;
		LOG_SCOPE("pid %d", late->probe.task->t.host_pid);
		LOG_SCOPE("fd %d", late->probe.fd);

		pass->dump->asked.kind = late->kind->name;
		pass->dump->asked.path = late->probe.link;
		if (!err)
			err = enter_network(pass->dump, late->kind, &late->probe);
		if (!err)
			err = late->kind->save_late(pass->dump, &late->probe, late->entry);
		if (err && dump_is_check(pass->dump)) {
			note_unknown(pass->dump, &late->probe, err);
			err = 0;
		}
		pass->dump->asked.path = NULL;
		probe_forget(&late->probe);
	}
	return err;
}

static int save_end(struct dump *dump)
{
	const struct run_kind *kind;
	int err = 0;

	run_for_each_kind(kind) {
		dump->asked.kind = kind->name;
		if (!err && kind->save_end)
			err = kind->save_end(dump);
	}
	return err;
}

/* A file that must not be examined further has a blocker, and no entry. */
static int path_file_id(struct dump *dump, const struct dump_path *path, uint32_t *ret_id)
{
	const struct fd_kind *const *kind = fd_kinds;

	if (!dump_path_answers(dump, path->task, path->local, path->link)) {
		*ret_id = dump_new_file_id(dump);
		return 0;
	}
	while (*kind && !(*kind)->save_path)
		kind++;
	if (!*kind)
		return fail(-EOPNOTSUPP, "%s: no kind saves paths", path->link);
	return (*kind)->save_path(dump, path, ret_id);
}

int dump_save_files(struct dump *dump)
{
	struct file_pass pass = { .dump = dump };
	struct dump_task *dt;
	int err, left;

	dump->open_files.what = KCMP_WHAT_FILE;
	dump->path_file_id = path_file_id;
	dump->in_flight_file_id = in_flight_file_id;
	dump->file_pass = &pass;
	err = dump_shared_image(dump, IMAGE_FILES, &dump->files_img);
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.pid);

		if (!err && dt->t.state != TASK_DEAD && dt->files_owner)
			err = save_table(&pass, dt);
		if (!err)
			err = dump_interrupted_soon(dump);
	}
	if (!err)
		err = save_late(&pass);
	left = dump_enter_network(dump, NULL);
	err = err ? err : left;
	if (!err)
		err = save_end(dump);
	for (size_t i = 0; !err && i < pass.entries.n; i++)
		err = dump_write_file_entry(dump, pass.entries.v[i]);
	array_free(&pass.entries);
	hash_free(&pass.types);
	hash_free(&pass.known);
	for (size_t i = 0; i < pass.in_flight.n; i++)
		close(pass.in_flight.v[i]);
	array_free(&pass.in_flight);
	dump->file_pass = NULL;
	return err;
}
