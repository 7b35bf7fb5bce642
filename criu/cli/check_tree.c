/* SPDX-License-Identifier: GPL-2.0-only */
/* criu check -t PID: what would make a dump fail, as text or JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/print.h"
#include "dump/dump.h"

/* @arg points to their count. */
static void report_json(void *arg, const struct blocker *b)
{
	size_t *nr = arg;

	printf("%s\n\t{\"pid\": %d", (*nr)++ ? "," : "", b->pid);
	print_json_member("comm", b->comm);
	if (b->fd >= 0)
		printf(", \"fd\": %d", b->fd);
	else
		printf(", \"fd\": null");
	print_json_member("kind", b->kind);
	print_json_member("path", b->path);
	print_json_member("reason", b->text);
	putchar('}');
}

/* As the log writes it. */
static void print_line(const char *text)
{
	for (; *text; text++)
		putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
	putchar('\n');
}

static void report_text(void *arg, const struct blocker *b)
{
	size_t *nr = arg;

	(*nr)++;
	printf("pid %d (", b->pid);
	print_safe(b->comm, PRINT_ALL);
	printf("): ");
	if (b->fd >= 0)
		printf("fd %d: ", b->fd);
	print_line(b->text);
}

static int finish_json(int found)
{
	printf("%s], \"can_dump\": %s}\n", found > 0 ? "\n" : "", found ? "false" : "true");
	return found ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int finish_text(const struct options *opts, int found)
{
	if (!found)
		printf("Looks good: nothing visible from outside would make a dump of the tree of %d fail.\n",
		       opts->pid);
	else if (found > 0)
		printf("The tree of %d cannot be dumped: %d reason%s above.\n", opts->pid, found,
		       found == 1 ? "" : "s");
	return found ? EXIT_FAILURE : EXIT_SUCCESS;
}

int check_tree(const struct options *opts)
{
	size_t nr = 0;
	int found, ret;

	if (opts->json)
		printf("{\"pid\": %d, \"blockers\": [", opts->pid);
	found = dump_check(opts, opts->json ? report_json : report_text, &nr);
	ret = opts->json ? finish_json(found) : finish_text(opts, found);
	if (fflush(stdout) || ferror(stdout))
		return -EIO;
	return found < 0 ? found : ret;
}
