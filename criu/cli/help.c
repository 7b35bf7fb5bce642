// SPDX-License-Identifier: GPL-2.0-only
/* Help: an overview that fits one screen, and a page for each command, generated from the option table. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "request/option_table.h"
#include "run/version.h"

#define TEXT_COLUMN 30
#define LINE_MAX_COLUMNS 100

static const char *const group_titles[GROUP_NR] = {
	[GROUP_MAIN] = "Options",
	[GROUP_FILES] = "Files and descriptors",
	[GROUP_EXTERNAL] = "External resources",
	[GROUP_MEMORY] = "Memory",
	[GROUP_NET] = "Network",
	[GROUP_NS] = "Namespaces, mounts, cgroups",
	[GROUP_OTHER] = "Other",
};

void print_version(void)
{
	/* The first line is the CRIU version whose interface is implemented: programs parse it. */
	printf("Version: " INTERFACE_VERSION "\n");
	printf("Implementation: " OWN_VERSION "\n");
}

/* Prints text from TEXT_COLUMN on, wrapped between words. @column is the current column. */
static void print_text(const char *text, int column)
{
	if (column >= TEXT_COLUMN) {
		putchar('\n');
		column = 0;
	}
	printf("%*s", TEXT_COLUMN - 1 - column, "");
	column = TEXT_COLUMN - 1;
	while (*text) {
		int len = (int)strcspn(text, " ");

		if (column + 1 + len > LINE_MAX_COLUMNS) {
			printf("\n%*s", TEXT_COLUMN - 1, "");
			column = TEXT_COLUMN - 1;
		}
		column += printf(" %.*s", len, text);
		text += len + (text[len] != 0);
	}
	putchar('\n');
}

static void print_option(const struct option_spec *spec)
{
	int column;

	column = spec->letter ? printf("  -%c, --%s", spec->letter, spec->name) : printf("      --%s", spec->name);
	if (spec->arg)
		column += printf(spec->kind == ARG_OPTIONAL ? "[=%s]" : " %s", spec->arg);
	print_text(spec->help, column);
}

static void print_group(enum option_group group, unsigned int command)
{
	bool begun = false;

	for (size_t i = 0; i < option_table_nr; i++) {
		const struct option_spec *spec = &option_table[i];

		if (spec->group != group || !spec->implemented || !(spec->commands & command))
			continue;
		if (!begun)
			printf("\n%s:\n", group_titles[group]);
		begun = true;
		print_option(spec);
	}
}

static void print_not_implemented(unsigned int command)
{
	int column = 0;

	for (size_t i = 0; i < option_table_nr; i++) {
		const struct option_spec *spec = &option_table[i];

		if (spec->implemented || !(spec->commands & command))
			continue;
		if (column == 0) {
			printf("\nRecognized, but not implemented:\n");
			column = printf(" ");
		}
		if (column + (int)strlen(spec->name) + 3 > LINE_MAX_COLUMNS)
			column = printf("\n ") - 1;
		column += printf(" --%s", spec->name);
	}
	if (column)
		putchar('\n');
}

void help_main(void)
{
	printf("criu saves running processes to files and restores them, on this machine or another one.\n\n"
	       "Usage: criu COMMAND [OPTION]...\n\n");
	for (size_t i = 0; i < commands_nr; i++)
		if (commands[i].implemented)
			printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	printf("\nExamples, as root:\n"
	       "  mkdir img\n"
	       "  criu dump -t PID -D img --shell-job      dump a tree that was started from a shell\n"
	       "  criu restore -D img --shell-job          restore it on this terminal\n"
	       "  criu dump -t PID -D img --leave-running  save its state, keep it running\n"
	       "  criu check                               does this kernel have what is needed?\n\n"
	       "criu COMMAND --help lists the options of a command; see criu(8) for details.\n"
	       "Not implemented:");
	for (size_t i = 0; i < commands_nr; i++)
		if (!commands[i].implemented)
			printf(" %s", commands[i].name);
	putchar('\n');
}

void help_command(const struct command *command)
{
	printf("Usage: criu %s %s\n\n%s%s\n", command->name, command->usage, command->summary,
	       command->implemented ? "" : " (not implemented)");
	if (!command->implemented)
		return;
	printf("\n%s", command->about);
	for (enum option_group group = 0; group < GROUP_NR; group++)
		print_group(group, command->bit);
	print_not_implemented(command->bit);
	printf("\nExit status: 0 on success, 1 on failure.\n");
}
