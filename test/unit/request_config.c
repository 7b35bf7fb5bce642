// SPDX-License-Identifier: GPL-2.0-only
/* Config files beyond single lines: options that are switched off, and the file of an RPC client. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "request/config.h"
#include "request_helper.h"
#include "util_check.h"

static char path[64];

static void write_config(const char *text)
{
	FILE *file = fopen(path, "w");

	if (!file || fputs(text, file) < 0 || fclose(file))
		abort();
}

static void no_switches_off(void)
{
	struct asked asked;

	asked_begin(&asked, CMD_DUMP);
	CHECK(asked_line(&asked, "tcp-established") == 0 && asked.req.opts.tcp_established);
	CHECK(asked_line(&asked, "no-tcp-established") == 0 && !asked.req.opts.tcp_established);
	/* One that has this name itself. */
	CHECK(asked_line(&asked, "no-default-config") == 0 && asked.req.opts.no_default_config);
	CHECK(!asked.reports[0]);
	CHECK(asked_line(&asked, "no-tcp-established yes") < 0 && strstr(asked.reports, "takes no value"));
	CHECK(asked_line(&asked, "no-log-file") < 0 && strstr(asked.reports, "unknown option no-log-file"));
	asked_end(&asked);
}

/* The file of an RPC client, over what its fields have set. */
static void the_last_file(void)
{
	struct options *opts;
	struct asked asked;

	asked_begin(&asked, CMD_DUMP);
	opts = &asked.req.opts;
	opts->images_dir_fd = open("/", O_RDONLY | O_CLOEXEC);
	opts->work_dir_fd = open("/", O_RDONLY | O_CLOEXEC);
	opts->pid = 17;
	opts->log_level = 3;
	write_config("tree 18\nverbosity 4\nleave-running\n");
	CHECK(config_load_last(&asked.req, path) == 0);
	CHECK(opts->pid == 17 && opts->log_level == 3 && opts->leave_running);
	CHECK(opts->images_dir_fd >= 0 && opts->work_dir_fd >= 0);
	CHECK_STR(opts->images_dir, ".");
	write_config("images-dir /a\nwork-dir /b\nlog-file c/d\n");
	CHECK(config_load_last(&asked.req, path) == 0);
	CHECK(opts->images_dir_fd == -1 && opts->work_dir_fd == -1);
	CHECK_STR(opts->images_dir, "/a");
	CHECK_STR(opts->work_dir, "/b");
	CHECK_STR(opts->log_file, "c/d");
	CHECK(!asked.reports[0]);
	write_config("no-such-thing\n");
	CHECK(config_load_last(&asked.req, path) < 0 && strstr(asked.reports, "no-such-thing"));
	CHECK_STR(opts->images_dir, "/a");
	asked_end(&asked);
}

static void no_last_file(void)
{
	static const char *const none[] = { "", "/tmp", "/nowhere/at/all" };
	struct asked asked;

	asked_begin(&asked, CMD_RESTORE);
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		CHECK(config_load_last(&asked.req, none[i]) == 0);
	CHECK(!asked.reports[0]);
	CHECK_STR(asked.req.opts.images_dir, ".");
	asked_end(&asked);
}

int main(void)
{
	int fd;

	strcpy(path, "/tmp/request_config.XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		abort();
	close(fd);
	RUN(no_switches_off);
	RUN(the_last_file);
	RUN(no_last_file);
	unlink(path);
	DONE();
}
