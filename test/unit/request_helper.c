// SPDX-License-Identifier: GPL-2.0-only
#include "request_helper.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "request/config.h"
#include "request/modes.h"
#include "request/option_table.h"

static void keep_report(void *arg, const char *line)
{
	struct asked *asked = arg;
	size_t len = strlen(asked->reports);

	snprintf(asked->reports + len, sizeof(asked->reports) - len, "%s\n", line);
}

unsigned int command_of(const struct option_spec *spec)
{
	const unsigned int preferred = spec->commands & (CMD_DUMP | CMD_RESTORE);
	const unsigned int commands = preferred ? preferred : spec->commands;

	return commands & -commands;
}

void asked_begin(struct asked *asked, unsigned int command)
{
	asked->reports[0] = 0;
	if (request_init(&asked->req, keep_report, asked) < 0)
		abort();
	asked->req.command = command;
}

void asked_end(struct asked *asked)
{
	request_free(&asked->req);
}

int asked_line(struct asked *asked, const char *line)
{
	char path[] = "/tmp/request_helper.XXXXXX";
	int fd = mkstemp(path), ret;

	if (fd < 0 || dprintf(fd, "%s\n", line) < 0)
		abort();
	close(fd);
	ret = config_load_file(&asked->req, path, true);
	unlink(path);
	return ret;
}

const char *sample_value(const struct option_spec *spec)
{
	static const struct {
		const char *name, *value;
	} samples[] = {
		{ "tree", "4711" },
		{ "verbosity", "4" },
		{ "timeout", "7" },
		{ "ghost-limit", "12345" },
		{ "tmpfs-files", "2M" },
		{ "external", "file[2a:17]" },
		{ "close", "1000000" },
		{ "inherit-fd", "fd[5]:key" },
		{ "ext-unix-sk", "17,18" },
		{ "port", "4712" },
		{ "untrusted-images", "1000" },
		{ "ps-socket", "6" },
		{ "status-fd", "7" },
		{ "empty-ns", "net" },
		{ "veth-pair", "in=out" },
		{ "tcp-address", "192.0.2.1=192.0.2.2" },
		{ "ext-mount-map", "/a:/b" },
		{ "manage-cgroups", "ignore" },
		{ "cpu-cap", "cpu,image" },
		{ "join-ns", "net:/a" },
		{ "socket-mode", "0660" },
		{ "stream", "-" },
		{ "compress", "zstd" },
		{ "compress-block", "64K" },
		{ "compress-acceleration", "9" },
		{ "restores", "5" },
		{ "exclude-memory", "7:1000-3000" },
		{ "decompress-threads", "3" },
	};

	switch (spec->kind) {
	case ARG_NONE:
	case ARG_ACTION:
		return NULL;
	case ARG_MODE:
		return spec->modes->v[spec->modes->n - 1].word;
	case ARG_STRING:
	case ARG_LIST:
		return "text";
	case ARG_HANDLER:
	case ARG_OPTIONAL:
		break;
	}
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++)
		if (!strcmp(samples[i].name, spec->name))
			return samples[i].value;
	fprintf(stderr, "no sample for --%s\n", spec->name);
	abort();
}

static void describe_list(FILE *to, const char *name, const struct str_list *list)
{
	fprintf(to, "%s:", name);
	for (size_t i = 0; i < list->n; i++)
		fprintf(to, " '%s'", list->v[i]);
	fputc('\n', to);
}

static void describe_pairs(FILE *to, const char *name, const struct str_pair *pairs, size_t n)
{
	fprintf(to, "%s:", name);
	for (size_t i = 0; i < n; i++)
		fprintf(to, " '%s'='%s'", pairs[i].key, pairs[i].val);
	fputc('\n', to);
}

static void describe_row(FILE *to, const struct option_spec *spec, const struct options *opts)
{
	const void *field = (const char *)opts + spec->offset;

	if (spec->kind == ARG_NONE)
		fprintf(to, "%s %d\n", spec->name, *(const bool *)field);
	else if (spec->kind == ARG_STRING)
		fprintf(to, "%s '%s'\n", spec->name, *(char *const *)field ? *(char *const *)field : "");
	else if (spec->kind == ARG_MODE)
		fprintf(to, "%s %d\n", spec->name, *(const int *)field);
	else if (spec->kind == ARG_LIST)
		describe_list(to, spec->name, field);
}

const char *described(const struct options *opts, char *buf, size_t size)
{
	FILE *to = fmemopen(buf, size, "w");

	if (!to)
		abort();
	for (size_t i = 0; i < option_table_nr; i++)
		describe_row(to, &option_table[i], opts);
	fprintf(to, "pid %d, level %d, timeout %u, ghosts %lu, tmpfs %d %lu\n", opts->pid, opts->log_level,
		opts->timeout_sec, opts->ghost_limit, opts->tmpfs_files, opts->tmpfs_limit);
	fprintf(to, "cpu 0x%x, cgroups %d, user %d %u\n", opts->cpu_cap, opts->cgroup_mode, opts->has_images_user,
		opts->images_user);
	fprintf(to, "port %u, server %d, status %d, empty netns %d, unix %d\n", opts->port, opts->ps_socket,
		opts->status_fd, opts->empty_netns, opts->ext_unix_sk);
	describe_list(to, "unix inodes", &opts->ext_unix_inodes);
	describe_list(to, "externals", &opts->externals);
	describe_list(to, "joined", &opts->join_ns);
	describe_list(to, "command", &opts->exec_cmd);
	describe_pairs(to, "veth", opts->veth_pairs, opts->veth_pairs_nr);
	describe_pairs(to, "mounts", opts->ext_mounts, opts->ext_mounts_nr);
	for (size_t i = 0; i < opts->inherit_nr; i++)
		fprintf(to, "inherit %d '%s'\n", opts->inherit[i].fd, opts->inherit[i].key);
	if (fclose(to))
		abort();
	return buf;
}
