// SPDX-License-Identifier: GPL-2.0-only
/* Terminals: the tables of this kind. */
#include "kinds/fd/tty/internal.h"
#include "kinds/kinds.h"

const struct fd_kind tty_kind = {
	.name = "tty",
	.image_type = FD_TYPES__TTY,
	.for_untrusted = true,
	.state_size = sizeof(struct tty_state),
	.claims = tty_claims,
	.save = tty_save,
	.load = tty_load,
	.link = tty_link,
	.open = tty_open,
	.finish = tty_finish,
	.describe = tty_describe,
};

const struct run_kind tty_run = {
	.name = "tty",
	.save_end = tty_save_end,
	.save_undo = tty_save_undo,
	.in_namespaces = tty_in_namespaces,
	.before_post_restore = tty_before_post_restore,
	.ready = tty_ready,
	.committed = tty_committed,
	.running = tty_running,
	.failed = tty_failed,
};

const struct task_kind terminal_kind = {
	.name = "terminal",
	.session = terminal_session,
	.apply = terminal_apply,
};
