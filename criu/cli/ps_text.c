// SPDX-License-Identifier: GPL-2.0-only
/* criu ps as text, for a terminal of 80 columns; with --all lines may be longer. */
#include <stdio.h>
#include <time.h>
#include "base/bits.h"
#include "cli/print.h"
#include "cli/ps_forms.h"

enum {
	COLUMNS = 80,
	LABEL = 12, /* width of the words on the left */
	BEFORE_COMMAND = 39, /* columns of the table before the command */
	INDENT_MAX = 20,
	FILE_INDENT = 8,
};

static void label(const char *text)
{
	printf("%-*s", LABEL, text);
}

static size_t room(const struct options *opts, size_t used)
{
	return opts->check_all ? PRINT_ALL : used < COLUMNS ? COLUMNS - used : 0;
}

static void line(const struct options *opts, const char *name, const char *text)
{
	if (!text || !*text)
		return;
	label(name);
	print_safe(text, room(opts, LABEL));
	putchar('\n');
}

static void print_time(int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;
	char text[64];

	if (localtime_r(&t, &tm) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm))
		fputs(text, stdout);
	else
		putchar('?');
}

static void show_time(const struct contents *c)
{
	const OriginEntry *origin = c->inventory ? c->inventory->origin : NULL;

	if (origin && origin->has_time) {
		label("dumped");
		print_time((int64_t)origin->time);
		putchar('\n');
	} else if (c->written) {
		label("written");
		print_time(c->written);
		printf(" (time of inventory.img)\n");
	}
}

static void show_host(const struct contents *c, const struct options *opts)
{
	const OriginEntry *origin = c->inventory ? c->inventory->origin : NULL;
	_cleanup_buf_ struct buf text = { 0 };

	if (origin) {
		line(opts, "host", origin->host);
		if (origin->kernel && !buf_printf(&text, "Linux %s", origin->kernel))
			line(opts, "kernel", text.data);
	}
	if (origin)
		line(opts, "CPU", origin->cpu);
}

static void show_options(const struct contents *c, const struct options *opts)
{
	const OriginEntry *origin = c->inventory ? c->inventory->origin : NULL;
	_cleanup_buf_ struct buf text = { 0 };

	if (!origin)
		return;
	line(opts, "by", origin->program);
	for (size_t i = 0; i < origin->n_options; i++)
		if (buf_printf(&text, "%s--%s", i ? " " : "", origin->options[i]))
			return;
	line(opts, "options", text.data);
}

static void show_duration(const struct contents *c)
{
	const DumpStatsEntry *s = c->stats;

	if (!s)
		return;
	label("took");
	printf("the tree stood still for %.1f ms\n", (s->freezing_time + s->frozen_time) / 1000.0);
}

static void show_namespaces(const struct contents *c, const struct options *opts)
{
	const struct shown_namespaces *ns = &c->namespaces;
	_cleanup_buf_ struct buf text = { 0 };
	int err = 0;

	for (enum ns_type type = 0; type < NS_TYPES; type++) {
		if (!ns->own[type])
			continue;
		err |= buf_printf(&text, "%s%s", text.len ? ", " : "", ns_type_name(type));
		if (type == NS_MNT && ns->mounts)
			err |= buf_printf(&text, " (%zu mounts)", ns->mounts);
		if (type == NS_UTS && ns->hostname)
			err |= buf_printf(&text, " (%s)", ns->hostname);
	}
	if (!err)
		line(opts, "namespaces", text.data);
}

static void show_totals(const struct contents *c)
{
	struct shown_memory sum = { .saved = c->shared_memory };
	size_t threads = 0;

	for (size_t i = 0; i < c->nr_tasks; i++) {
		sum.saved += c->tasks[i].memory.saved;
		sum.in_parent += c->tasks[i].memory.in_parent;
		sum.of_others += c->tasks[i].memory.of_others;
		sum.lazy += c->tasks[i].memory.lazy;
		threads += c->tasks[i].nr_threads;
	}
	label("memory");
	print_size(sum.saved);
	printf(" in these images");
	if (sum.in_parent) {
		printf(", ");
		print_size(sum.in_parent);
		printf(" in older ones");
	}
	if (sum.of_others) {
		printf(", ");
		print_size(sum.of_others);
		printf(" shared with another process");
	}
	if (sum.lazy) {
		printf(", ");
		print_size(sum.lazy);
		printf(" on a page server");
	}
	putchar('\n');
	label("tree");
	printf("%zu process%s, %zu thread%s, %zu file%s (open, mapped, directories)\n", c->nr_tasks,
	       c->nr_tasks == 1 ? "" : "es", threads, threads == 1 ? "" : "s", c->nr_files,
	       c->nr_files == 1 ? "" : "s");
}

/* Without --all: sockets, since they connect the tree with something else. */
static void show_fd(const struct contents *c, const struct options *opts, const struct shown_fd *fd)
{
	_cleanup_description_ struct description d = { 0 };
	const char *text = fd->file && !describe(fd->file, &c->finder, &d) ? d.text.data : "unknown";
	int column;

	if (!opts->check_all && !d.connects)
		return;
	column = printf("%*sfd %d ", FILE_INDENT, "", fd->fd);
	print_safe(text, room(opts, (size_t)column));
	putchar('\n');
}

static void show_files(const struct contents *c, const struct options *opts, const struct shown_task *t)
{
	const struct shown_fd *fd;

	array_for_each(fd, &t->fds)
		show_fd(c, opts, fd);
}

static void show_place(const char *name, const char *path)
{
	if (!path)
		return;
	printf("%*s%s ", FILE_INDENT, "", name);
	print_safe(path, PRINT_ALL);
	putchar('\n');
}

static void show_details(const struct shown_task *t)
{
	printf("%*sparent %d, group %d, session %d\n", FILE_INDENT, "", t->ppid, t->pgid, t->sid);
	if (t->has_uid)
		printf("%*suser %u\n", FILE_INDENT, "", t->uid);
	show_place("program", t->exe);
	show_place("directory", t->cwd);
	show_place("root", t->root);
	for (size_t i = 1; i < t->nr_threads; i++) {
		printf("%*sthread %d ", FILE_INDENT, "", t->threads[i].tid);
		print_safe(t->threads[i].comm, PRINT_ALL);
		putchar('\n');
	}
}

static void show_memory(const struct shown_task *t)
{
	if (t->memory_of || !t->mm)
		printf("%6s", t->memory_of ? "shared" : "-");
	else
		printf(" "), print_size(t->memory.saved);
	if (t->files_of)
		printf(" shared");
	else
		printf(" %6zu", t->fds.n);
}

/* A name in brackets has no command line, as in ps(1). */
static void show_task(const struct contents *c, const struct options *opts, const struct shown_task *t)
{
	size_t indent = MIN_OF(2 * (size_t)t->depth, (size_t)INDENT_MAX), used = BEFORE_COMMAND + indent;

	printf("%8d %-8s %5zu ", t->pid, shown_state_text(t->state), t->nr_threads);
	show_memory(t);
	printf("  %*s", (int)indent, "");
	if (t->command) {
		print_safe(t->command, room(opts, used));
	} else {
		putchar('[');
		print_safe(t->comm, room(opts, used + 2));
		putchar(']');
	}
	putchar('\n');
	if (opts->check_all)
		show_details(t);
	show_files(c, opts, t);
}

void ps_text(const struct contents *c, const struct options *opts)
{
	show_time(c);
	show_host(c, opts);
	show_options(c, opts);
	show_duration(c);
	show_namespaces(c, opts);
	if (!c->nr_tasks)
		return;
	show_totals(c);
	printf("\n%8s %-8s %5s %6s %6s  %s\n", "PID", "STATE", "THR", "SAVED", "FDS", "COMMAND");
	for (const struct shown_task *t = c->first; t; t = t->following)
		show_task(c, opts, t);
}
