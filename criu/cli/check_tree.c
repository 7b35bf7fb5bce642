/* SPDX-License-Identifier: GPL-2.0-only */
/* criu check -t PID: what would make a dump fail, as text or JSON. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "dump/dump.h"

/* Length of the UTF-8 character at @s, 0 if it is invalid. Overlong forms and surrogates are invalid. */
static size_t utf8_length(const unsigned char *s)
{
	size_t len = s[0] < 0x80		 ? 1 :
		     s[0] >= 0xc2 && s[0] < 0xe0 ? 2 :
		     (s[0] & 0xf0) == 0xe0	 ? 3 :
		     s[0] >= 0xf0 && s[0] < 0xf5 ? 4 :
						   0;

	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* File names may contain any bytes: invalid UTF-8 becomes U+FFFD. */
static void print_string(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;

	if (!text) {
		fputs("null", stdout);
		return;
	}
	putchar('"');
	while (*s) {
		size_t len = utf8_length(s);

		if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if (*s < 0x20 || *s == 0x7f)
			printf("\\u%04x", *s);
		else if (!len)
			fputs("\\ufffd", stdout);
		else
			fwrite(s, 1, len, stdout);
		s += len ? len : 1;
	}
	putchar('"');
}

static void print_member(const char *name, const char *value)
{
	printf(", \"%s\": ", name);
	print_string(value);
}

/* @arg points to their count. */
static void report_json(void *arg, const struct blocker *b)
{
	size_t *nr = arg;

	printf("%s\n\t{\"pid\": %d", (*nr)++ ? "," : "", b->pid);
	print_member("comm", b->comm);
	if (b->fd >= 0)
		printf(", \"fd\": %d", b->fd);
	else
		printf(", \"fd\": null");
	print_member("kind", b->kind);
	print_member("path", b->path);
	print_member("reason", b->text);
	putchar('}');
}

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
	printf("pid %d (%s): ", b->pid, b->comm);
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

	if (opts->check_json)
		printf("{\"pid\": %d, \"blockers\": [", opts->pid);
	found = dump_check(opts, opts->check_json ? report_json : report_text, &nr);
	ret = opts->check_json ? finish_json(found) : finish_text(opts, found);
	if (fflush(stdout) || ferror(stdout))
		return -EIO;
	return found < 0 ? found : ret;
}
