// SPDX-License-Identifier: GPL-2.0-only
/*
 * Labels of security modules (SELinux, AppArmor, Smack): /proc/PID/attr. A restore gives every process the label of
 * criu restore, which could lift its confinement.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "core_image.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

/* Labels for objects that a process creates later: reset by its next exec. */
static const char *const for_later[] = { "exec", "fscreate", "keycreate", "sockcreate" };

/* "" if no module has one. Only the first line, without the newline. */
static char *read_label(struct dump *dump, const struct dump_task *task, const char *name)
{
	_cleanup_buf_ struct buf text = { 0 };
	char path[64];
	int err;

	snprintf(path, sizeof(path), "%sattr/%s", task ? "" : "self/", name);
	err = task ? proc_text(&task->proc, path, &text) : read_file(proc_root(), path, &text);
	return dump_printf(dump, "%.*s", err ? 0 : (int)strcspn(text.len ? text.data : "", "\n"),
			   text.len ? text.data : "");
}

struct own_label {
	const char *text;
	bool none_has_any; /* no module of this kernel labels processes */
};

static struct own_label *own_label(struct dump *dump)
{
	void **data = dump_kind_data(dump, &lsm_kind);
	struct own_label *own = *data;
	_cleanup_buf_ struct buf text = { 0 };

	if (own)
		return own;
	own = *data = dump_alloc(dump, sizeof(*own));
	if (!own)
		return NULL;
	own->none_has_any = read_file(proc_root(), "self/attr/current", &text) == -EINVAL;
	own->text = own->none_has_any ? "" : read_label(dump, NULL, "current");
	return own;
}

static int lsm_survey(struct dump *dump, struct dump_task *task)
{
	struct own_label *mine = own_label(dump);
	const char *own = mine ? mine->text : NULL;
	const char *label = mine && mine->none_has_any ? own : read_label(dump, task, "current");

	if (!label || !own)
		return no_memory("labels");
	if (strcmp(label, own))
		dump_blocker(
			dump, task, -1,
			"has the security label %s, and criu has %s: labels are not supported; run criu with the same "
			"label (runcon, aa-exec)",
			*label ? label : "(none)", *own ? own : "none");
	for (size_t i = 0; *label && i < ARRAY_SIZE(for_later); i++) {
		const char *later = read_label(dump, task, for_later[i]);

		if (later && *later)
			dump_blocker(dump, task, -1, "has set attr/%s to %s: not supported", for_later[i], later);
	}
	return 0;
}

const struct task_kind lsm_kind = {
	.name = "lsm",
	.survey = lsm_survey,
};
