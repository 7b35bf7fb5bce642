/* SPDX-License-Identifier: GPL-2.0-only */
/* Ask the kernel from outside, and list everything that stands in the way. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "dump/dump.h"
#include "memory/memory.h"
#include "run/dump.h"
#include "util/log.h"

#define CHECK_TRIES 20

/* Namespaces of the tree must be the tool's own as long as their content is not saved. */
static int check_namespaces(struct dump *dump, struct dump_task *dt)
{
	static const char *const names[] = { "pid",  "pid_for_children", "user", "mnt", "net", "ipc", "uts", "cgroup",
					     "time", "time_for_children" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct stat theirs, ours;
		char path[64];

		snprintf(path, sizeof(path), "ns/%s", names[i]);
		if (fstatat(dt->proc.dir, path, &theirs, 0) < 0) {
			if (errno == ENOENT)
				continue;
			return fail(-errno, "stat /proc/%d/%s", dt->t.host_pid, path);
		}
		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		if (stat(path, &ours) < 0)
			return fail(-errno, "stat %s", path);
		if (theirs.st_ino != ours.st_ino)
			dump_blocker(
				dump, dt, -1,
				"lives in another %s namespace than the tool: namespaces cannot be saved yet; run the tool inside (nsenter -t %d --%s)",
				names[i], dt->t.host_pid, names[i]);
	}
	return 0;
}

/* A session or group that outlives the tree's root must be known to the restorer: either it lies in the tree, or the
 * person who restores gives theirs. */
static void check_session(struct dump *dump, struct dump_task *dt)
{
	struct dump_task *root = dump_task_of(dump->tree.root);

	if (dt == root && dt->t.sid != dt->t.pid && !dump->opts->shell_job)
		dump_blocker(
			dump, dt, -1,
			"belongs to session %d, whose leader is not in the tree: dump the leader, or use --shell-job (-j) to restore into the session of a terminal",
			dt->t.sid);
}

/* Two texts of the same mappings: while the task runs they may differ. */
static int read_mappings(struct dump *dump, struct dump_task *dt)
{
	int tries = dump->checking ? CHECK_TRIES : 1, err;

	do {
		maps_free(&dt->maps);
		array_free(&dt->vma_flags);
		err = maps_read(&dt->proc, &dt->maps);
		if (!err && dt->mm_owner)
			err = smaps_read(&dt->proc, &dt->vma_flags);
	} while (!err && dt->mm_owner && dt->maps.n != dt->vma_flags.n && --tries);
	return err < 0 ? fail(err, "read the map of this process") : 0;
}

static int survey_task(struct dump *dump, struct dump_task *dt)
{
	int err;

	dump->asked.kind = "namespace";
	err = check_namespaces(dump, dt);
	dump->asked.kind = "memory";
	if (!err)
		err = read_mappings(dump, dt);
	if (!err && dt->mm_owner) {
		err = memory_survey(dump, dt);
	} else if (!err) {
		dump_blocker(dump, dt, -1,
			     "shares its memory with another process (vfork or CLONE_VM): that cannot be saved yet");
	}
	if (err < 0)
		return err;
	dump->asked.kind = "session";
	check_session(dump, dt);
	for (const struct task_kind *const *kind = task_kinds; *kind; kind++) {
		dump->asked.kind = (*kind)->name;
		err = (*kind)->survey ? (*kind)->survey(dump, dt) : 0;
		if (err)
			return err;
	}
	return 0;
}

int dump_survey(struct dump *dump)
{
	struct dump_task *dt;
	int err = mountinfo_read(&dump_task_of(dump->tree.root)->proc, &dump->mounts);

	if (err < 0)
		return fail(err, "read mountinfo");
	dump_for_each_task(dt, dump) {
		LOG_SCOPE("pid %d", dt->t.host_pid);

		if (dt->t.state == TASK_DEAD)
			continue;
		err = survey_task(dump, dt);
		if (dump->checking && (err == -ESRCH || err == -ENOENT)) {
			dt->t.state = TASK_DEAD;
			continue;
		}
		if (err)
			return err;
		err = dump_interrupted(dump);
		if (err)
			return err;
	}
	return 0;
}
