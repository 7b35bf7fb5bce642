// SPDX-License-Identifier: GPL-2.0-only
/*
 * Labels of security modules (SELinux, AppArmor, Smack): /proc/PID/attr. A restore gives every process the label of criu
 * restore, which would be an escape from what it was confined to.
 */
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

/* What will be the label of something that a process makes: given up by its next exec. */
static const char *const for_later[] = { "exec", "fscreate", "keycreate", "sockcreate" };

/* "" where no module has one. Only the first line, without what it ends with. */
static char *read_label(struct dump *dump, const struct dump_task *task, const char *name)
{
	_cleanup_buf_ struct buf text = { 0 };
	char path[64];
	int err;

	snprintf(path, sizeof(path), "%sattr/%s", task ? "" : "/proc/self/", name);
	err = task ? proc_text(&task->proc, path, &text) : read_file(AT_FDCWD, path, &text);
	return dump_printf(dump, "%.*s", err ? 0 : (int)strcspn(text.len ? text.data : "", "\n"),
			   text.len ? text.data : "");
}

static int lsm_survey(struct dump *dump, struct dump_task *task)
{
	const char *label = read_label(dump, task, "current");
	void **data = dump_kind_data(dump, &lsm_kind);
	const char *own = *data ? *data : (*data = read_label(dump, NULL, "current"));

	if (!label || !own)
		return no_memory("labels");
	if (strcmp(label, own))
		dump_blocker(
			dump, task, -1,
			"has the security label %s, and criu has %s: labels cannot be saved yet; run criu with the same "
			"label (runcon, aa-exec)",
			*label ? label : "(none)", *own ? own : "none");
	for (size_t i = 0; *label && i < ARRAY_SIZE(for_later); i++) {
		const char *later = read_label(dump, task, for_later[i]);

		if (later && *later)
			dump_blocker(dump, task, -1, "has set attr/%s to %s: that cannot be saved yet", for_later[i],
				     later);
	}
	return 0;
}

const struct task_kind lsm_kind = {
	.name = "lsm",
	.survey = lsm_survey,
};
