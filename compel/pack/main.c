// SPDX-License-Identifier: GPL-2.0-only
/* The host program `compel`. */
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "pack.h"

static const char usage[] = "Usage: compel pack --name NAME -o HEADER OBJECT\n"
			    "\n"
			    "Converts a relocatable object to code that can run inside another process, and writes\n"
			    "it as a C header for use with libcompel.\n"
			    "\n"
			    "  -n, --name NAME     name of the blob: `static const struct compel_blob NAME`\n"
			    "  -o, --output FILE   header file to write\n"
			    "  -e, --entry SYMBOL  entry point, a function (default: blob_entry)\n"
			    "  -c, --check         only check whether OBJECT can be converted; write nothing\n"
			    "  -h, --help          print this help\n"
			    "\n"
			    "OBJECT contains everything that the blob needs: ld -r -o OBJECT one.o two.o ...\n"
			    "compiled with -ffreestanding -fpie -fvisibility=hidden -mgeneral-regs-only.\n"
			    "Undefined symbols and references that need an absolute address are reported as errors.\n"
			    "For a global symbol blob_export_X the header defines NAME_export_X, its offset.\n";

static const struct option options[] = {
	{ "name", required_argument, NULL, 'n' },  { "output", required_argument, NULL, 'o' },
	{ "entry", required_argument, NULL, 'e' }, { "check", no_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },	   { NULL, 0, NULL, 0 },
};

static bool is_identifier(const char *s)
{
	if (!isalpha((unsigned char)*s) && *s != '_')
		return false;
	while (isalnum((unsigned char)*s) || *s == '_')
		s++;
	return !*s;
}

static int usage_error(const char *why, const char *what)
{
	fprintf(stderr, "compel: %s%s\nTry `compel --help`.\n", why, what);
	return 2;
}

static int pack(const char *object, const char *name, const char *out, const char *entry)
{
	struct image im = { 0 };
	struct object o;
	bool good;

	good = object_load(object, &o) && image_lay_out(&o, entry, &im) && image_relocate(&o, &im) &&
	       (!out || image_write_header(&o, &im, name, out));
	image_free(&im);
	object_free(&o);
	return good ? 0 : 1;
}

int main(int argc, char **argv)
{
	const char *name = NULL, *out = NULL, *entry = "blob_entry";
	bool check = false;
	int c;

	while ((c = getopt_long(argc, argv, "n:o:e:ch", options, NULL)) >= 0) {
		switch (c) {
		case 'n':
			name = optarg;
			break;
		case 'o':
			out = optarg;
			break;
		case 'e':
			entry = optarg;
			break;
		case 'c':
			check = true;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return usage_error("", "invalid option");
		}
	}
	if (optind == argc || strcmp(argv[optind], "pack"))
		return usage_error("expected the command `pack`", optind < argc ? ", nothing else" : "");
	if (optind + 2 != argc)
		return usage_error("expected one object", "");
	if (!check && (!name || !out))
		return usage_error("--name and --output are required", "");
	if (name && !is_identifier(name))
		return usage_error("invalid value for --name; expected a C identifier: ", name);
	return pack(argv[optind + 1], name, check ? NULL : out, entry);
}
