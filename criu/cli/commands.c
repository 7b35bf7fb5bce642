// SPDX-License-Identifier: GPL-2.0-only
/* Every command. One that no stage builds yet is refused by its name. */
#include "base/bits.h"
#include "cli/cli.h"
#include "util/str.h"

const struct command commands[] = {
	{
		.name = "dump",
		.bit = CMD_DUMP,
		.built = true,
		.usage = "-t PID [OPTION]...",
		.summary = "freeze a process tree into image files",
		.about =
			"The process PID and all its descendants are stopped, written to the images directory, and end;\n"
			"with --leave-running they go on instead. If the dump fails they go on as if nothing had been,\n"
			"and no images are left. A tree that was started from a shell needs --shell-job.\n",
		.run = dump_command,
	},
	{
		.name = "restore",
		.bit = CMD_RESTORE,
		.built = true,
		.usage = "[OPTION]...",
		.summary = "bring a tree back from its images",
		.about =
			"Every process comes back with the pid it had, and goes on where it was. Without\n"
			"--restore-detached criu waits for the tree's root, and ends as it ends: with its exit status,\n"
			"or by the same signal. If the restore fails no process of it is left.\n",
		.run = restore_command,
	},
	{
		.name = "check",
		.bit = CMD_CHECK,
		.built = true,
		.usage = "[--feature NAME] [--all] [--extra] | -t PID [--json]",
		.summary = "ask whether this kernel, or a process tree, has what is needed",
		.about =
			"Every feature is tried out, not guessed from a version. Prints \"Looks good.\" and exits 0 when\n"
			"everything that is needed is there; otherwise names what is missing, and what that costs.\n"
			"With -t: names everything in the tree of PID that a dump with these options would refuse,\n"
			"without stopping or changing anything in it; exits 0 when there is nothing.\n",
		.run = check_command,
	},
	{ .name = "pre-dump",
	  .bit = CMD_PRE_DUMP,
	  .usage = "-t PID [OPTION]...",
	  .summary = "save memory ahead of a dump" },
	{ .name = "page-server",
	  .bit = CMD_PAGE_SERVER,
	  .usage = "[OPTION]...",
	  .summary = "take in pages of a dump elsewhere" },
	{ .name = "lazy-pages",
	  .bit = CMD_LAZY_PAGES,
	  .usage = "[OPTION]...",
	  .summary = "hand out pages when they are touched" },
	{ .name = "service", .bit = CMD_SERVICE, .usage = "[OPTION]...", .summary = "serve requests on a socket" },
	{ .name = "swrk", .bit = CMD_SWRK, .args = 1, .usage = "FD", .summary = "serve one client on a descriptor" },
	{ .name = "dedup",
	  .bit = CMD_DEDUP,
	  .usage = "[OPTION]...",
	  .summary = "drop superseded pages of older images" },
	{ .name = "cpuinfo",
	  .bit = CMD_CPUINFO,
	  .args = 1,
	  .usage = "dump|check",
	  .summary = "write or compare what the CPU can" },
	{ .name = "exec", .bit = CMD_EXEC, .args = 2, .usage = "-t PID SYSCALL [ARG]", .summary = "deprecated" },
};

const size_t commands_nr = ARRAY_SIZE(commands);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < commands_nr; i++)
		if (str_eq(commands[i].name, name))
			return &commands[i];
	return NULL;
}
