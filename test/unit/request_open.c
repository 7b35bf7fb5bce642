// SPDX-License-Identifier: GPL-2.0-only
/* Directories, log, validation and notification of a request, whatever filled it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "request/open.h"
#include "request/validate.h"
#include "request_helper.h"
#include "run/notify.h"
#include "util/log.h"
#include "util_check.h"

static char top[] = "/tmp/request_open.XXXXXX";

/* The file @name in the test's directory. */
static const char *at_top(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

static bool same_file(int fd, const char *path)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && stat(path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static void set_string(char **field, const char *value)
{
	free(*field);
	*field = strdup(value);
}

static void directories_by_path(void)
{
	struct asked asked;

	asked_begin(&asked, CMD_DUMP);
	set_string(&asked.req.opts.images_dir, at_top("images"));
	CHECK(request_open(&asked.req) == 0);
	CHECK(same_file(asked.req.opts.images_dir_fd, at_top("images")));
	CHECK(same_file(asked.req.opts.work_dir_fd, at_top("images")) && asked.req.log_fd == -1);
	request_close(&asked.req);
	CHECK(asked.req.opts.images_dir_fd == -1 && asked.req.opts.work_dir_fd == -1);
	set_string(&asked.req.opts.work_dir, at_top("work"));
	set_string(&asked.req.opts.log_file, "x.log");
	CHECK(request_open(&asked.req) == 0 && same_file(asked.req.opts.work_dir_fd, at_top("work")));
	CHECK(same_file(asked.req.log_fd, at_top("work/x.log")) && log_fd() == asked.req.log_fd);
	request_close(&asked.req);
	CHECK(log_fd() == STDERR_FILENO && !asked.reports[0]);
	asked_end(&asked);
}

/*
 * Descriptors that a service has opened. Without a work directory the images directory is used, not the cwd of this
 * process.
 */
static void directories_by_descriptor(void)
{
	struct asked asked;
	int fd = open(at_top("images"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	asked_begin(&asked, CMD_DUMP);
	asked.req.opts.images_dir_fd = fd;
	CHECK(fd >= 0 && request_open(&asked.req) == 0 && asked.req.opts.images_dir_fd == fd);
	CHECK(asked.req.opts.work_dir_fd != fd && same_file(asked.req.opts.work_dir_fd, at_top("images")));
	request_close(&asked.req);
	CHECK(fcntl(fd, F_GETFD) < 0);
	fd = open(at_top("work"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	set_string(&asked.req.opts.images_dir, at_top("images"));
	set_string(&asked.req.opts.log_file, "y.log");
	asked.req.opts.work_dir_fd = fd;
	CHECK(request_open(&asked.req) == 0 && same_file(asked.req.log_fd, at_top("work/y.log")));
	request_close(&asked.req);
	asked_end(&asked);
}

static void what_cannot_be_opened_is_reported(void)
{
	struct asked asked;

	asked_begin(&asked, CMD_DUMP);
	set_string(&asked.req.opts.images_dir, at_top("images"));
	set_string(&asked.req.opts.work_dir, at_top("nowhere"));
	CHECK(request_open(&asked.req) == -EINVAL && strstr(asked.reports, "the work directory /tmp/request_open"));
	CHECK(strstr(asked.reports, "mkdir -p") && asked.req.opts.images_dir_fd == -1);
	asked_end(&asked);
	asked_begin(&asked, CMD_DUMP);
	set_string(&asked.req.opts.images_dir, at_top("images"));
	set_string(&asked.req.opts.log_file, "no/where.log");
	CHECK(request_open(&asked.req) == -EINVAL && strstr(asked.reports, "log file no/where.log"));
	CHECK(asked.req.opts.images_dir_fd == -1 && asked.req.opts.work_dir_fd == -1 && asked.req.log_fd == -1);
	asked_end(&asked);
}

static void what_is_invalid_is_reported(void)
{
	struct asked asked;
	pid_t gone = fork();

	if (!gone)
		_exit(0);
	CHECK(waitpid(gone, NULL, 0) == gone);
	asked_begin(&asked, CMD_DUMP);
	CHECK(request_validate(&asked.req) == -EINVAL);
	asked.req.opts.pid = getpid();
	CHECK(request_validate(&asked.req) == -EINVAL);
	asked.req.opts.pid = gone;
	CHECK(request_validate(&asked.req) == -ESRCH && strstr(asked.reports, "no such process"));
	asked_end(&asked);
	asked_begin(&asked, CMD_RESTORE);
	asked.req.opts.restore_sibling = true;
	CHECK(request_validate(&asked.req) == -EINVAL && strstr(asked.reports, "--restore-sibling needs"));
	asked_end(&asked);
}

/* A client of a service: records the steps it is asked about, refuses one. */
struct client {
	struct notify_outlet outlet;
	const char *refused;
	char record[256];
};

static int ask_client(const struct notify_outlet *outlet, const struct options *opts, const struct notice *notice)
{
	struct client *client = (struct client *)outlet;
	size_t len = strlen(client->record);

	snprintf(client->record + len, sizeof(client->record) - len, "%s %d, ", notice->action, notice->pid);
	return client->refused && !strcmp(client->refused, notice->action) ? -ECANCELED : 0;
}

static void read_output(char *ret, size_t size)
{
	FILE *file = fopen(at_top("record"), "re");
	size_t len = file ? fread(ret, 1, size - 1, file) : 0;

	ret[len] = 0;
	if (file)
		fclose(file);
}

static void make_script(void)
{
	FILE *file = fopen(at_top("script"), "we");

	if (!file)
		abort();
	fprintf(file, "#!/bin/sh\necho $CRTOOLS_SCRIPT_ACTION ${CRTOOLS_INIT_PID-0} >> %s\n", at_top("record"));
	fclose(file);
	if (chmod(at_top("script"), 0755))
		abort();
}

/* A client is asked before the scripts of config files run, and they do not run for a step that it refuses. */
static void steps_have_two_outlets(void)
{
	struct client client = { .outlet = { .notify = ask_client }, .refused = "post-dump" };
	struct asked asked;
	char record[256];

	make_script();
	asked_begin(&asked, CMD_DUMP);
	set_string(&asked.req.opts.images_dir, at_top("images"));
	CHECK(!notify_wanted(&asked.req.opts) && notify_step(&asked.req.opts, "pre-dump", 1) == 0);
	CHECK(notify_add(&asked.req.opts, &client.outlet) == 0);
	CHECK(str_list_add(&asked.req.opts.action_scripts, at_top("script")) == 0);
	CHECK(request_open(&asked.req) == 0 && notify_wanted(&asked.req.opts));
	CHECK(notify_step(&asked.req.opts, "pre-dump", 17) == 0 && notify_step(&asked.req.opts, "pre-restore", 0) == 0);
	CHECK(notify_step(&asked.req.opts, "post-dump", 17) == -ECANCELED);
	CHECK_STR(client.record, "pre-dump 17, pre-restore 0, post-dump 17, ");
	read_output(record, sizeof(record));
	CHECK_STR(record, "pre-dump 17\npre-restore 0\n");
	/* Adding the same one twice is not an error; one beyond the limit is refused. */
	CHECK(notify_add(&asked.req.opts, &client.outlet) == 0);
	CHECK(notify_add(&asked.req.opts, &(struct notify_outlet){ .notify = client.outlet.notify }) == -ENOSPC);
	request_close(&asked.req);
	asked_end(&asked);
}

int main(void)
{
	static const char *const names[] = { "work/x.log", "work/y.log", "record", "script", "images", "work", "" };

	if (!mkdtemp(top) || mkdir(at_top("images"), 0700) || mkdir(at_top("work"), 0700))
		return 1;
	RUN(directories_by_path);
	RUN(directories_by_descriptor);
	RUN(what_cannot_be_opened_is_reported);
	RUN(what_is_invalid_is_reported);
	RUN(steps_have_two_outlets);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		remove(at_top(names[i]));
	DONE();
}
