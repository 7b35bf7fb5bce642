// SPDX-License-Identifier: GPL-2.0-only
/* criu ps --dot: the tree as a diagram of Graphviz, with what its processes talk through. */
#include <stdio.h>
#include "cli/print.h"
#include "cli/ps_forms.h"
#include "inspect/channels.h"
#include "util/log.h"

static void show_tasks(const struct contents *c)
{
	for (const struct shown_task *t = c->first; t; t = t->following) {
		printf("\tp%d [label=\"%d\\n", t->pid, t->pid);
		print_dot(t->comm);
		if (t->nr_threads > 1)
			printf("\\n%zu threads", t->nr_threads);
		printf(t->state == SHOWN_ZOMBIE ? "\", style=dashed];\n" : "\"];\n");
		if (t->parent)
			printf("\tp%d -> p%d;\n", t->parent->pid, t->pid);
	}
}

static void show_channel(const struct contents *c, size_t number, const struct channel *ch)
{
	_cleanup_description_ struct description d = { 0 };
	const struct channel_end *end;

	/* Something that other tasks have, too, or a connection whose other end is elsewhere. */
	if (describe(ch->file, &c->finder, &d) || (ch->ends.n < 2 && (ch->whole || !d.peer.len)))
		return;
	printf("\tc%zu [shape=ellipse, label=\"%s", number, describe_kind(ch->file));
	if (!ch->whole && d.peer.len) {
		putchar(' ');
		print_dot(d.peer.data);
	}
	printf("\"];\n");
	array_for_each(end, &ch->ends) {
		const char *dir = end->reads && end->writes ? "both" : end->writes ? "forward" : "back";

		printf("\tp%d -> c%zu [style=dashed, constraint=false, dir=%s];\n", end->task->pid, number, dir);
	}
}

void ps_dot(const struct contents *c)
{
	struct channel_array channels = { 0 };
	size_t number = 0;

	printf("digraph criu {\n\tnode [shape=box];\n");
	show_tasks(c);
	if (channels_find(c, &channels))
		log_error("out of memory: pipes and sockets are not shown");
	for (; number < channels.n; number++)
		show_channel(c, number, &channels.v[number]);
	printf("}\n");
	channels_free(&channels);
}
