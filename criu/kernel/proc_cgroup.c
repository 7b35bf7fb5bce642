// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "kernel/proc_pid.h"
#include "kernel/scan.h"

/* Takes ownership of @text (of @len bytes and a NUL), also on failure. */
static int cgroups_split(char *text, size_t len, struct proc_cgroups *ret)
{
	struct proc_cgroups c = { .text = text };
	struct scan s = scan_text(text, len), line, controllers;
	int err = 0;

	while (!err && scan_line(&s, &line)) {
		struct proc_cgroup g;
		if (!scan_u32(&line, &g.hierarchy) || !scan_char(&line, ':') || !scan_until(&line, ':', &controllers)) {
			err = -EBADMSG;
			break;
		}
		/* The last character before the NUL is ':' or the newline, or the end of @text. */
		text[controllers.end - text] = 0;
		text[line.end - text] = 0;
		g.controllers = text + (controllers.p - text);
		g.path = text + (line.p - text);
		err = array_add(&c, g);
	}
	if (err)
		proc_cgroups_free(&c);
	else
		*ret = c;
	return err;
}

int proc_cgroups_parse(const char *text, size_t len, struct proc_cgroups *ret)
{
	struct buf b = { 0 };
	int err = buf_add(&b, text, len);

	return err ? err : cgroups_split(b.data, len, ret);
}

void proc_cgroups_free(struct proc_cgroups *c)
{
	array_free(c);
	free(c->text);
	c->text = NULL;
}
