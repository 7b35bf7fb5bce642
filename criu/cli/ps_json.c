// SPDX-License-Identifier: GPL-2.0-only
/* criu ps --json: everything that the text has, and more. A member that is not known is null. */
#include <inttypes.h>
#include <stdio.h>
#include "cli/print.h"
#include "cli/ps_forms.h"

static void show_origin(const struct contents *c)
{
	const OriginEntry *o = c->inventory ? c->inventory->origin : NULL;

	if (o && o->has_time)
		printf("\"time\": %" PRIu64, o->time);
	else
		printf("\"time\": null");
	if (c->written)
		printf(", \"written\": %" PRId64, c->written);
	else
		printf(", \"written\": null");
	print_json_member("host", o ? o->host : NULL);
	print_json_member("kernel", o ? o->kernel : NULL);
	print_json_member("cpu", o ? o->cpu : NULL);
	print_json_member("boot_id", o ? o->boot_id : NULL);
	print_json_member("program", o ? o->program : NULL);
	printf(", \"options\": ");
	if (!o) {
		printf("null");
		return;
	}
	putchar('[');
	for (size_t i = 0; i < o->n_options; i++) {
		printf(i ? ", " : "");
		print_json(o->options[i]);
	}
	putchar(']');
}

static void show_stats(const struct contents *c)
{
	const DumpStatsEntry *s = c->stats;

	if (!s) {
		printf("null");
		return;
	}
	printf("{\"freezing_us\": %u, \"frozen_us\": %u, \"pages_scanned\": %" PRIu64 ", \"pages_written\": %" PRIu64
	       "}",
	       s->freezing_time, s->frozen_time, s->pages_scanned, s->pages_written);
}

static void show_namespaces(const struct contents *c)
{
	const char *between = "";

	putchar('[');
	for (enum ns_type type = 0; type < NS_TYPES; type++) {
		if (!c->namespaces.own[type])
			continue;
		printf("%s\"%s\"", between, ns_type_name(type));
		between = ", ";
	}
	putchar(']');
	print_json_member("hostname", c->namespaces.hostname);
}

static void show_fd(const struct contents *c, const struct shown_fd *fd)
{
	_cleanup_description_ struct description d = { 0 };
	int err = fd->file ? describe(fd->file, &c->finder, &d) : 0;

	printf("{\"fd\": %d, \"kind\": ", fd->fd);
	print_json(describe_kind(fd->file));
	print_json_member("path", d.path);
	print_json_member("text", err ? NULL : d.text.data);
	printf(", \"file\": %u, \"cloexec\": %s}", fd->file ? fd->file->id : 0, fd->cloexec ? "true" : "false");
}

static void show_threads(const struct shown_task *t)
{
	printf(", \"threads\": [");
	for (size_t i = 0; i < t->nr_threads; i++) {
		printf("%s{\"tid\": %d", i ? ", " : "", t->threads[i].tid);
		print_json_member("comm", t->threads[i].comm);
		putchar('}');
	}
	putchar(']');
}

static void number_or_null(const char *name, bool known, uint64_t number)
{
	if (known)
		printf(", \"%s\": %" PRIu64, name, number);
	else
		printf(", \"%s\": null", name);
}

static void show_task(const struct contents *c, const struct shown_task *t)
{
	bool memory = t->mm && !t->memory_of;
	const struct shown_fd *fd;

	printf("{\"pid\": %d, \"ppid\": %d, \"pgid\": %d, \"sid\": %d, \"state\": \"%s\"", t->pid, t->ppid, t->pgid,
	       t->sid, shown_state_text(t->state));
	print_json_member("comm", t->comm);
	print_json_member("command", t->command);
	print_json_member("exe", t->exe);
	print_json_member("cwd", t->cwd);
	print_json_member("root", t->root);
	number_or_null("uid", t->has_uid, t->uid);
	show_threads(t);
	number_or_null("mapped", memory, t->memory.mapped);
	number_or_null("saved", memory, t->memory.saved);
	number_or_null("in_parent", memory, t->memory.in_parent);
	number_or_null("of_others", memory, t->memory.of_others);
	number_or_null("lazy", memory, t->memory.lazy);
	number_or_null("memory_of", t->memory_of, (uint64_t)t->memory_of);
	number_or_null("fds_of", t->files_of, (uint64_t)t->files_of);
	printf(", \"fds\": [");
	array_for_each(fd, &t->fds) {
		printf(fd == t->fds.v ? "\n\t\t" : ",\n\t\t");
		show_fd(c, fd);
	}
	printf("]}");
}

void ps_json(const struct contents *c)
{
	printf("{\"complete\": %s, \"problems\": [", c->inventory ? "true" : "false");
	for (size_t i = 0; i < c->problems.n; i++) {
		printf(i ? ", " : "");
		print_json(c->problems.v[i]);
	}
	printf("],\n \"origin\": {");
	show_origin(c);
	printf("},\n \"stats\": ");
	show_stats(c);
	printf(",\n \"namespaces\": ");
	show_namespaces(c);
	printf(", \"shared_memory\": %" PRIu64 ",\n \"tasks\": [", c->shared_memory);
	for (const struct shown_task *t = c->first; t; t = t->following) {
		printf(t == c->first ? "\n\t" : ",\n\t");
		show_task(c, t);
	}
	printf("]}\n");
}
