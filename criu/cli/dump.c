// SPDX-License-Identifier: GPL-2.0-only
/* criu dump */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "dump/dump.h"
#include "util/str.h"

static int dump_options_fit(const struct options *opts)
{
	char proc[32];

	if (!opts->pid)
		return usage_error("dump needs to know which process: criu dump -t PID");
	if (opts->pid == getpid() || opts->pid == getppid())
		return usage_error("-t %d is %s; a program cannot freeze what it stands on", opts->pid,
				   opts->pid == getpid() ? "criu itself" : "the process that called criu");
	if (opts->leave_running && opts->leave_stopped)
		return usage_error("--leave-running and --leave-stopped exclude each other");
	str_format(proc, sizeof(proc), "/proc/%d", opts->pid);
	if (access(proc, F_OK) < 0)
		return usage_error("-t %d: there is no such process", opts->pid);
	return 0;
}

int dump_command(struct options *opts, const struct words *words)
{
	struct session session;
	int ret = dump_options_fit(opts);

	if (ret == 0)
		ret = session_begin(&session, opts, "dump");
	if (ret < 0)
		return ret;
	return session_end(&session, dump_run(opts));
}
