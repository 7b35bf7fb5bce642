// SPDX-License-Identifier: GPL-2.0-only
/* Entry point: from argv to a command. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/usage.h"
#include "cli/cli.h"
#include "cli/options.h"
#include "cli/print.h"
#include "request/config.h"
#include "run/interrupt.h"
#include "util/log.h"
#include "util/str.h"
#include "util/suggest.h"

static const char *command_name(size_t i)
{
	return i < commands_nr ? commands[i].name : NULL;
}

static int unknown_command(const char *name)
{
	const char *near = suggest(name, commands_nr, command_name);

	if (near)
		return usage_error("unknown command '%s'; did you mean '%s'?", name, near);
	return usage_error("unknown command '%s'; see criu --help", name);
}

/* If stdin, stdout or stderr is closed, the next file opened would get its number, and be overwritten by output. */
static int fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	} while (fd <= STDERR_FILENO);
	close(fd);
	return 0;
}

static int show_help(const struct words *words)
{
	bool asks_help = words->command && str_eq(words->command, "help");
	const char *name = asks_help ? words->arg[0] : words->command;
	const struct command *command = name ? command_find(name) : NULL;

	if (name && !command)
		return unknown_command(name);
	if (command)
		help_command(command);
	else
		help_main();
	return 0;
}

static int show_options(const struct request *req)
{
	for (size_t i = 0; i < req->taken.n; i++) {
		print_safe(req->taken.v[i], PRINT_ALL);
		putchar('\n');
	}
	return fflush(stdout) ? usage_error("stdout: %s", strerror(errno)) : 0;
}

static int run_command(int argc, char **argv, struct request *req, const struct words *words)
{
	const struct command *command = command_find(words->command);
	int ret;

	if (!command)
		return unknown_command(words->command);
	if (!command->implemented)
		return usage_error("the command '%s' is not implemented", command->name);
	if (words->arg_nr > command->args)
		return usage_error("unexpected argument '%s' for %s; see criu %s --help", words->arg[command->args],
				   command->name, command->name);
	req->command = command->bit;
	req->name = command->name;
	ret = config_load(req);
	if (ret == 0)
		ret = options_parse(argc, argv, req);
	if (ret < 0)
		return ret;
	return words->show_options ? show_options(req) : command->run(req, words);
}

int main(int argc, char **argv)
{
	struct request req;
	struct words words;
	int ret = fill_standard_descriptors();

	/*
	 * SIGCHLD may be ignored by our parent, which is inherited: then no child could be waited for. signal(3) sets
	 * flags (kinds/task/signals.c).
	 */
	signal(SIGCHLD, SIG_DFL);
	interrupt_not_by_writes();
	if (ret < 0)
		usage_error("/dev/null: %s", strerror(-ret));
	else if ((ret = request_init(&req, usage_report, NULL)) < 0)
		usage_error("options: %s", strerror(-ret));
	if (ret < 0)
		return EXIT_FAILURE;
	ret = options_scan(argc, argv, &req, &words);
	if (ret < 0)
		goto free_request;
	if (words.version) {
		print_version();
	} else if (words.help || (words.command && str_eq(words.command, "help"))) {
		ret = show_help(&words);
	} else if (!words.command) {
		help_main();
		ret = -EINVAL;
	} else {
		ret = run_command(argc, argv, &req, &words);
	}
free_request:
	request_free(&req);
	return ret < 0 ? EXIT_FAILURE : ret;
}
