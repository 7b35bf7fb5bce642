// SPDX-License-Identifier: GPL-2.0-only
/*
 * Labels of security modules: /proc/PID/attr. Contexts of SELinux and profiles of AppArmor are saved, for each process. A context
 * is set again by its first thread, before it makes the others, which inherit it; a profile by each thread. Other labels are refused unless criu has the same, as a
 * restored process gets that of criu, which could lift its confinement. A process that AppArmor does not confine has nothing to save.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "core_image.h"
#include "kernel/lsm.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/options.h"
#include "run/restore.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

/* Labels for objects that a process creates later: reset by its next exec. */
static const char *const for_later[] = { "attr/exec", "attr/fscreate", "attr/keycreate", "attr/sockcreate" };

#define LABEL_MAX 4000 /* the kernel takes less than a page */
#define UNCONFINED "unconfined"

/* As modules report it: "profile (enforce)" is the profile. */
static void cut_label(enum lsm module, char *label)
{
	size_t len = strcspn(label, "\n");

	label[len] = 0;
	if (module == LSM_APPARMOR && len && label[len - 1] == ')' && strstr(label, " ("))
		*strrchr(label, ' ') = 0;
}

/* ---- dump ---- */

struct lsm_dump {
	enum lsm module;
	const char *file; /* lsm_label_file() */
	const char *own; /* the label of this program */
	bool none_has_any; /* no module of this kernel labels processes */
};

/* "" if no module has one. One that cannot be read is not none, which would lift the confinement: a blocker. @path: in @dir */
static char *read_label(struct dump *dump, const struct dump_task *task, int dir, const char *path)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = read_file(dir, path, &text);

	if (err && err != -EINVAL && err != -ENOENT && !(err == -ESRCH && dump_is_check(dump)))
		dump_blocker(dump, task, -1, "the security label of %s cannot be read (%s): %s",
			     dir == proc_root() ? "criu" : "the process", path, strerror(-err));
	return dump_printf(dump, "%.*s", err ? 0 : (int)strcspn(text.len ? text.data : "", "\n"),
			   text.len ? text.data : "");
}

static char *own_label(struct dump *dump, const struct dump_task *task, const char *file)
{
	char path[48];

	snprintf(path, sizeof(path), "self/%s", file);
	return read_label(dump, task, proc_root(), path);
}

/* @task: for blockers */
static struct lsm_dump *lsm_data(struct dump *dump, const struct dump_task *task)
{
	void **data = dump_kind_data(dump, &lsm_kind);
	struct lsm_dump *own = *data;
	_cleanup_buf_ struct buf text = { 0 };

	if (own)
		return own;
	own = *data = dump_alloc(dump, sizeof(*own));
	if (!own)
		return NULL;
	own->module = lsm_here();
	own->file = lsm_label_file(own->module);
	own->none_has_any = own->module == LSM_NONE && read_file(proc_root(), "self/attr/current", &text) == -EINVAL;
	own->own = own->none_has_any ? "" : own_label(dump, task, own->file);
	dump->lsm = own->module == LSM_SELINUX || own->module == LSM_APPARMOR ? own->module : LSM_NONE;
	return own;
}

static void refuse_threads(struct dump *dump, const struct dump_task *task, const struct lsm_dump *lsm,
			   const char *label)
{
	for (size_t i = 1; i < task->nr_threads; i++) {
		char path[64];
		const char *other;

		snprintf(path, sizeof(path), "task/%d/%s", task->threads[i].id.host_tid, lsm->file);
		other = read_label(dump, task, task->proc.dir, path);
		/* In a tree that runs, it may have ended. */
		if (other && !*other && dump_is_check(dump))
			continue;
		if (!other || strcmp(other, label) != 0)
			dump_blocker(dump, task, -1,
				     "thread %d has the security label %s, and its process %s: that is not supported",
				     task->threads[i].id.host_tid, other && *other ? other : "(none)",
				     *label ? label : "(none)");
	}
}

static int note_label(struct dump *dump, struct dump_task *task, const struct lsm_dump *lsm, const char *label)
{
	char *profile = dump_strdup(dump, label);

	if (!profile)
		return no_memory("labels");
	refuse_threads(dump, task, lsm, label);
	if (lsm->module == LSM_SELINUX && *label && !task->mm_owner && strcmp(label, lsm->own) != 0)
		dump_blocker(
			dump, task, -1,
			"has the SELinux context %s, and shares its memory (CLONE_VM) with another process: the kernel lets none of them change its context; run criu with the same context",
			label);
	cut_label(lsm->module, profile);
	if (lsm->module == LSM_APPARMOR && (profile[0] == ':' || strstr(profile, "//&:")))
		dump_blocker(
			dump, task, -1,
			"has the AppArmor profile %s, in a namespace of policies of its own: that is not supported; load the profile in that of the host",
			profile);
	if (*profile && (lsm->module != LSM_APPARMOR || strcmp(profile, UNCONFINED) != 0))
		task->label = profile;
	return 0;
}

static int lsm_survey(struct dump *dump, struct dump_task *task)
{
	struct lsm_dump *lsm = lsm_data(dump, task);
	const char *own = lsm ? lsm->own : NULL;
	const char *label = lsm && lsm->none_has_any ? own :
			    lsm			     ? read_label(dump, task, task->proc.dir, lsm->file) :
						       NULL;
	int err = 0;

	if (!label || !own)
		return no_memory("labels");
	if (dump->lsm)
		err = note_label(dump, task, lsm, label);
	else if (strcmp(label, own) != 0)
		dump_blocker(
			dump, task, -1,
			"has the security label %s, and criu has %s: labels of %s are not supported; run criu with the same label",
			*label ? label : "(none)", *own ? own : "none",
			lsm->module == LSM_SMACK ? "Smack" : "this security module");
	for (size_t i = 0; !err && *label && i < ARRAY_SIZE(for_later); i++) {
		const char *later = read_label(dump, task, task->proc.dir, for_later[i]);

		if (later && *later)
			dump_blocker(dump, task, -1, "has set %s to %s: not supported", for_later[i], later);
	}
	return err;
}

static int lsm_save_thread(struct dump *dump, struct dump_task *task, struct dump_thread *thread, CoreEntry *core)
{
	(void)dump;
	(void)thread;
	core->thread_core->creds->lsm_profile = (char *)task->label;
	return 0;
}

/* ---- restore ---- */

/* That of this program; -errno: it is unknown. */
static int read_own(enum lsm module, struct buf *ret)
{
	char path[48];
	int err = str_format(path, sizeof(path), "self/%s", lsm_label_file(module));

	if (!err)
		err = read_file(proc_root(), path, ret);
	if (!err && !ret->len)
		err = -ENODATA;
	if (!err)
		cut_label(module, ret->data);
	return err;
}

static bool is_own(enum lsm module, const char *label)
{
	_cleanup_buf_ struct buf own = { 0 };

	return !read_own(module, &own) && !strcmp(own.data, label);
}

struct lsm_restore {
	const char *unlabelled; /* what a process without a label gets; NULL: nothing is to be set */
};

/*
 * Images have no label of a process that AppArmor did not confine: it must not get the profile of this program. NULL: out of
 * memory, logged.
 */
static const struct lsm_restore *lsm_restore_of(struct restore *r)
{
	struct lsm_restore *lsm = *restore_kind_data(r, &lsm_kind);
	_cleanup_buf_ struct buf own = { 0 };

	if (lsm)
		return lsm;
	lsm = *restore_kind_data(r, &lsm_kind) = restore_alloc(r, sizeof(*lsm));
	if (!lsm)
		log_error("labels: out of memory");
	else if (r->plan.lsm == LSM_APPARMOR && lsm_here() == LSM_APPARMOR && !read_own(LSM_APPARMOR, &own) &&
		 strcmp(own.data, UNCONFINED) != 0)
		lsm->unlabelled = UNCONFINED;
	return lsm;
}

/* --lsm-profile TYPE:NAME, which has been checked. */
static enum lsm given(const struct restore *r, const char **ret_name)
{
	const char *profile = r->opts->lsm_profile;

	*ret_name = strchr(profile, ':') + 1;
	return str_has_prefix(profile, "selinux:") ? LSM_SELINUX : LSM_APPARMOR;
}

/* The label that the process gets; NULL: that of this program. */
static const char *label_of(struct restore *r, const struct restore_task *task, enum lsm *ret_module)
{
	const CredsEntry *e = restore_first_thread(task)->core->thread_core->creds;
	const char *name;

	*ret_module = r->plan.lsm;
	if (r->opts->lsm_profile) {
		*ret_module = given(r, &name);
		return name;
	}
	return e->lsm_profile && *e->lsm_profile ? e->lsm_profile : lsm_restore_of(r)->unlabelled;
}

static int check_label(const struct restore *r, pid_t tid, enum lsm module, const char *label)
{
	enum lsm here = lsm_here();

	if (strlen(label) > LABEL_MAX || strchr(label, '\n'))
		return core_refuse(tid, "creds.lsm_profile: no label has a newline, or more than %d bytes", LABEL_MAX);
	if (module != LSM_SELINUX && module != LSM_APPARMOR)
		return fail(
			-EBADMSG,
			"core-%d.img: creds.lsm_profile is %s, and inventory.img does not say of which security module",
			tid, label);
	if (here != module)
		return fail(
			-EOPNOTSUPP,
			"core-%d.img: creds.lsm_profile: the process was confined by %s (%s), and this kernel has %s: restore it on a host with %s%s",
			tid, lsm_title(module), label, lsm_title(here), lsm_title(module),
			here == LSM_SELINUX || here == LSM_APPARMOR ? ", or give it a label with --lsm-profile" : "");
	if (r->tool.untrusted && !is_own(module, label))
		return fail(
			-EPERM,
			"core-%d.img: creds.lsm_profile: %s is not the label of this program, and --untrusted-images sets no other: "
			"pass its own one with --lsm-profile",
			tid, label);
	return 0;
}

/* Whether the profile of this program lets it become unconfined. AppArmor only tests that, but not no_new_privs. */
static int check_unconfined(pid_t tid)
{
	static const char request[] = "permprofile " UNCONFINED;
	_cleanup_buf_ struct buf own = { 0 };
	char path[48];
	int err = str_format(path, sizeof(path), "self/%s", lsm_label_file(LSM_APPARMOR));
	_cleanup_close_ int fd = err ? err : open_at(proc_root(), path, O_WRONLY | O_CLOEXEC, 0);

	if (fd < 0)
		err = fd;
	else if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
		err = -EPERM;
	else if (write(fd, request, strlen(request)) < 0)
		err = -errno;
	if (err && !read_own(LSM_APPARMOR, &own))
		err = fail(
			err,
			"core-%d.img: creds.lsm_profile: AppArmor did not confine the process, and the profile of criu, %s, "
			"does not let it be unconfined: run criu unconfined (aa-exec -p unconfined), or give the processes that profile "
			"(--lsm-profile apparmor:%s)",
			tid, own.data, own.data);
	return err;
}

static int lsm_load_thread(struct restore *r, struct restore_task *task, struct restore_thread *thread)
{
	const CredsEntry *e = thread->core->thread_core->creds,
			 *first = restore_first_thread(task)->core->thread_core->creds;
	pid_t tid = thread->id.tid;
	enum lsm module;
	const char *label;
	int err;

	if (!e || !first)
		return 0;
	if (e->has_apparmor_data)
		return core_refuse(tid, "creds.apparmor_data: AppArmor namespaces are not supported");
	if (e->lsm_sockcreate && *e->lsm_sockcreate)
		return core_refuse(tid, "creds.lsm_sockcreate (%s) is not supported", e->lsm_sockcreate);
	if (!r->opts->lsm_profile && strcmp(e->lsm_profile ?: "", first->lsm_profile ?: "") != 0)
		return core_refuse(tid,
				   "creds.lsm_profile (%s) differs from that of its process: that is not supported",
				   e->lsm_profile ?: "none");
	if (thread != restore_first_thread(task))
		return 0;
	if (!lsm_restore_of(r))
		return -ENOMEM;
	label = label_of(r, task, &module);
	err = label ? check_label(r, tid, module, label) : 0;
	return !err && label && label == lsm_restore_of(r)->unlabelled ? check_unconfined(tid) : err;
}

static size_t lsm_wire_size(struct restore *r, const struct restore_task *task)
{
	enum lsm module;

	return label_of(r, task, &module) ? LABEL_MAX + 128 : 0;
}

/*
 * SELinux: the process's own file, for its first thread while it is alone. AppArmor: /proc, where each thread opens its own file
 * at the end of its credentials.
 */
static int open_label(struct wire_task *wire, enum lsm module)
{
	char path[48], *in_proc;
	int err = str_format(path, sizeof(path), "%s/%s", module == LSM_APPARMOR ? "thread-self" : "self",
			     lsm_label_file(module));

	if (err)
		return err;
	if (module != LSM_APPARMOR)
		return open_at(proc_root(), path, O_WRONLY | O_CLOEXEC, 0);
	in_proc = wire_alloc(wire, sizeof(path));
	if (!in_proc)
		return -ENOMEM;
	memcpy(in_proc, path, sizeof(path));
	wire->label_path = (uint64_t)(uintptr_t)in_proc;
	return open_at(proc_root(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

static int lsm_hand_over(struct restore *r, struct restore_task *task, struct wire_task *wire)
{
	enum lsm module;
	const char *label = label_of(r, task, &module);
	char *text;
	int fd, err;

	wire->label_fd = -1;
	if (!label || is_own(module, label))
		return 0;
	text = wire_alloc(wire, LABEL_MAX + 32);
	if (!text)
		return no_memory("labels");
	err = str_format(text, LABEL_MAX + 32, "%s%s", module == LSM_APPARMOR ? "changeprofile " : "", label);
	fd = err ? err : open_label(wire, module);
	if (fd < 0)
		return fail(fd, "open attr/current of process %d", task->t.pid);
	wire->label_fd = move_fd_above(fd, r->service_base);
	if (wire->label_fd < 0) {
		close(fd);
		return fail(wire->label_fd, "keep attr/current of process %d open", task->t.pid);
	}
	wire->label = (uint64_t)(uintptr_t)text;
	wire->label_len = (uint32_t)strlen(text);
	return 0;
}

const struct task_kind lsm_kind = {
	.name = "lsm",
	.survey = lsm_survey,
	.save_thread = lsm_save_thread,
	.load_thread = lsm_load_thread,
	.wire_size = lsm_wire_size,
	.hand_over = lsm_hand_over,
};
