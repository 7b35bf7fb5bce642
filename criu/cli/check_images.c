/* SPDX-License-Identifier: GPL-2.0-only */
/* criu check -D DIR: would these images be restored here? As text or JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/print.h"
#include "restore/restore.h"
#include "run/obstacles.h"

static void print_number(const char *name, bool known, int number)
{
	if (known)
		printf("\"%s\": %d", name, number);
	else
		printf("\"%s\": null", name);
}

/* @arg points to their count. */
static void report_json(void *arg, const struct obstacle *o)
{
	size_t *nr = arg;

	printf("%s\n\t{", (*nr)++ ? "," : "");
	print_number("pid", o->pid, o->pid);
	print_json_member("comm", o->comm);
	printf(", ");
	print_number("fd", o->fd >= 0, o->fd);
	print_json_member("kind", o->kind);
	print_json_member("path", o->path);
	print_json_member("reason", o->text);
	putchar('}');
}

static void report_text(void *arg, const struct obstacle *o)
{
	size_t *nr = arg;

	(*nr)++;
	if (o->pid) {
		printf("pid %d (", o->pid);
		print_safe(o->comm, PRINT_ALL);
		printf("): ");
	}
	if (o->fd >= 0)
		printf("fd %d: ", o->fd);
	print_safe(o->text, PRINT_ALL);
	putchar('\n');
}

static void finish_text(const struct options *opts, const struct obstacles *found)
{
	if (!found->nr)
		printf("Looks good: nothing on this host would make a restore of %s fail, as far as can be seen beforehand.\n",
		       opts->images_dir);
	else
		printf("%s cannot be restored here: %zu reason%s above.%s\n", opts->images_dir, found->nr,
		       found->nr == 1 ? "" : "s",
		       found->incomplete ? " There may be more, which can be found out when those are removed." : "");
}

static void finish_json(const struct obstacles *found)
{
	printf("%s], \"complete\": %s, \"can_restore\": %s}\n", found->nr ? "\n" : "",
	       found->incomplete ? "false" : "true", found->nr ? "false" : "true");
}

int check_images(const struct options *opts)
{
	size_t nr = 0;
	struct obstacles found = { .report = opts->json ? report_json : report_text, .arg = &nr };
	int err;

	if (opts->json) {
		printf("{\"images\": ");
		print_json(opts->images_dir);
		printf(", \"obstacles\": [");
	}
	err = restore_check(opts, &found);
	if (opts->json)
		finish_json(&found);
	else if (!err)
		finish_text(opts, &found);
	if (fflush(stdout) || ferror(stdout))
		return -EIO;
	return err ? err : found.nr ? EXIT_FAILURE : EXIT_SUCCESS;
}
