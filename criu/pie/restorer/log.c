// SPDX-License-Identifier: GPL-2.0-only
/* Inside a task: no libc, no globals, direct system calls only. Formats errors, one per line. */
#include <compel/pie.h>
#include <stdatomic.h>
#include <stdbool.h>
#include "restorer.h"

enum {
	LINE_MAX = 256,
	LEVEL_ERROR = 1,
	NUMBER_MAX = 1 << 23, /* above: an address */
};

struct line {
	unsigned int len;
	char text[LINE_MAX];
};

static void add_text(struct line *l, const char *s)
{
	while (*s && l->len < LINE_MAX - 1)
		l->text[l->len++] = *s++;
}

static void add_number(struct line *l, long v)
{
	char digits[24];
	unsigned int n = 0;
	unsigned long u = v < 0 ? -(unsigned long)v : (unsigned long)v;

	do
		digits[n++] = (char)('0' + u % 10);
	while (u /= 10);
	if (v < 0)
		digits[n++] = '-';
	while (n && l->len < LINE_MAX - 1)
		l->text[l->len++] = digits[--n];
}

static void add_hex(struct line *l, uint64_t v)
{
	char digits[16];
	unsigned int n = 0;

	do {
		unsigned int d = v & 15;
		digits[n++] = (char)(d < 10 ? '0' + d : 'a' + d - 10);
	} while (v >>= 4);
	add_text(l, "0x");
	while (n && l->len < LINE_MAX - 1)
		l->text[l->len++] = digits[--n];
}

/* The first error is reported by the tool, which also shows it to the user. */
static bool report_to_tool(const struct line *l, const struct wire_task *task, long err)
{
	struct restorer_error *error = (void *)task->error;
	unsigned int len = l->len < sizeof(error->text) ? l->len : sizeof(error->text) - 1;
	uint32_t none = 0;

	if (!error || !atomic_compare_exchange_strong(&error->state, &none, 1))
		return false;
	for (unsigned int i = 0; i < len; i++)
		error->text[i] = l->text[i];
	error->error = (int32_t)err;
	atomic_store(&error->state, 2);
	return true;
}

static void start(struct line *l, const struct wire_task *task, const char *what)
{
	l->len = 0;
	add_text(l, "pid ");
	add_number(l, task->pid);
	add_text(l, ": ");
	add_text(l, what);
}

static int finish(struct line *l, const struct wire_task *task, long err)
{
	if (report_to_tool(l, task, err))
		return (int)err;
	add_text(l, ": errno ");
	add_number(l, -err);
	add_text(l, "\n");
	if (task->log_fd >= 0 && task->log_level >= LEVEL_ERROR)
		sys_write(task->log_fd, l->text, l->len);
	return (int)err;
}

int restorer_fail(const struct wire_task *task, long err, const char *what)
{
	struct line l;

	start(&l, task, what);
	return finish(&l, task, err);
}

int restorer_fail_nr(const struct wire_task *task, long err, const char *what, long nr)
{
	struct line l;

	start(&l, task, what);
	add_text(&l, " ");
	if (nr > NUMBER_MAX)
		add_hex(&l, (uint64_t)nr);
	else
		add_number(&l, nr);
	return finish(&l, task, err);
}
