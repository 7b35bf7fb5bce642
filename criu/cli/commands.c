// SPDX-License-Identifier: GPL-2.0-only
/* All commands. Those that are not implemented are rejected by name. */
#include "base/bits.h"
#include "cli/cli.h"
#include "util/str.h"

const struct command commands[] = {
	{
		.name = "dump",
		.bit = CMD_DUMP,
		.implemented = true,
		.usage = "-t PID [OPTION]...",
		.summary = "save a process tree to image files",
		.about =
			"Freezes the process PID and all its descendants, saves them to the images directory, and kills\n"
			"them, or with --leave-running keeps them running. If the dump fails they keep running as before,\n"
			"and no images are left. A tree that was started from a shell needs --shell-job.\n",
		.run = dump_command,
	},
	{
		.name = "restore",
		.bit = CMD_RESTORE,
		.implemented = true,
		.usage = "[OPTION]...",
		.summary = "restore a process tree from its images",
		.about = "Recreates every process with its old pid; it continues where it was frozen. Without\n"
			 "--restore-detached criu waits for the tree's root to exit, and exits with the same status\n"
			 "or by the same signal. If the restore fails, no process is left behind.\n",
		.run = restore_command,
	},
	{
		.name = "check",
		.bit = CMD_CHECK,
		.implemented = true,
		.usage = "[--feature NAME] [--all] [--extra] | -t PID [--json] | -D DIR [--json]",
		.summary = "check whether this kernel is supported, a tree can be dumped, images can be restored",
		.about =
			"Probes each feature instead of guessing from the kernel version. Prints \"Looks good.\" and exits 0\n"
			"if all required features are present; otherwise lists what is missing, and the consequences.\n"
			"With -t: lists everything in the tree of PID that would make a dump with these options fail,\n"
			"without stopping or changing anything; exits 0 if there is nothing.\n"
			"With -D: lists everything on this host that would make a restore of the images in DIR with these\n"
			"options fail, without creating or changing anything.\n",
		.run = check_command,
	},
	{
		.name = "ps",
		.bit = CMD_PS,
		.implemented = true,
		.usage = "[-D DIR] [--all | --json | --dot]",
		.summary = "show what is in an images directory",
		.about =
			"Lists the processes of a dump with their memory and sockets, and where, when and with which options it\n"
			"was made. Changes nothing, and restores nothing. What is missing or damaged is reported at the end, and\n"
			"the exit status is 1 then; the rest is shown. What a restore here would lack: criu check -D DIR.\n",
		.run = ps_command,
	},
	{
		.name = "pre-dump",
		.bit = CMD_PRE_DUMP,
		.implemented = true,
		.usage = "-t PID [OPTION]...",
		.summary = "save memory ahead of a dump",
		.about =
			"Saves the memory of a process tree while it runs, and tracks which pages are written from then on. A\n"
			"later pre-dump or dump with --prev-images-dir saves only those. The images cannot be restored by\n"
			"themselves.\n",
		.run = dump_command,
	},
	{
		.name = "page-server",
		.bit = CMD_PAGE_SERVER,
		.implemented = true,
		.usage = "[--address ADDR] [--port PORT] [OPTION]...",
		.summary = "receive pages of a remote dump",
		.about =
			"Waits for one dump with --page-server, and writes its pages to the images directory; the other images\n"
			"are written by the dump, and have to be copied there. Exits with 0 if the pages are complete; otherwise\n"
			"none are left.\n",
		.run = page_server_command,
	},
	{
		.name = "lazy-pages",
		.bit = CMD_LAZY_PAGES,
		.implemented = true,
		.usage = "[--page-server --address ADDR --port PORT] [OPTION]...",
		.summary = "serve pages on first access",
		.about =
			"Supplies the memory of a tree to criu restore --lazy-pages with the same work directory, which connects\n"
			"to the socket lazy-pages.socket there: pages that are accessed first, all others in the background.\n"
			"Exits when nothing is missing. If it is killed, or a page cannot be read, whoever accesses a missing\n"
			"page gets SIGBUS. Pages that are not in the images are fetched from --page-server: a criu dump\n"
			"--lazy-pages. A restore that finds no daemon starts one by itself.\n",
		.run = lazy_pages_command,
	},
	{
		.name = "service",
		.bit = CMD_SERVICE,
		.implemented = true,
		.usage = "[--address PATH] [--daemon] [--pidfile FILE]",
		.summary = "serve requests on a socket",
		.about =
			"Executes the requests of other programs that connect to a socket, each with the rights of the program.\n"
			"Without --address it is criu_service.socket in the work directory, or the one that systemd passes. Only\n"
			"the user who has started the service may connect, unless --socket-mode allows others.\n",
		.run = service_command,
	},
	{
		.name = "swrk",
		.bit = CMD_SWRK,
		.implemented = true,
		.args = 1,
		.usage = "FD",
		.summary = "serve one client on a descriptor",
		.about =
			"Executes the requests of the program that has started criu, with the rights of this process. FD is\n"
			"one end of a socket pair (SOCK_SEQPACKET). Options that are given here or in config files apply\n"
			"unless the client sets them.\n",
		.run = swrk_command,
	},
	{
		.name = "dedup",
		.bit = CMD_DEDUP,
		.implemented = true,
		.usage = "[OPTION]...",
		.summary = "punch superseded pages out of older images",
		.about =
			"Frees the space of pages in the previous images (the link \"parent\", and those before them) that\n"
			"the images directory has itself. Only the images in it can be restored from then on.\n",
		.run = dedup_command,
	},
	{
		.name = "cpuinfo",
		.bit = CMD_CPUINFO,
		.implemented = true,
		.args = 1,
		.usage = "dump|check [OPTION]...",
		.summary = "save or check CPU features",
		.about =
			"dump writes a description of this CPU, cpuinfo.img, to the images directory. check compares such a\n"
			"description with this CPU, as a restore with the same --cpu-cap would, and exits 0 if it matches.\n",
		.run = cpuinfo_command,
	},
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
