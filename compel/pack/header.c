// SPDX-License-Identifier: GPL-2.0-only
/* Writes the result as a C header, atomically. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pack.h"

#define EXPORT "blob_export_"

static void write_bytes(FILE *f, const struct image *im, const char *name)
{
	fprintf(f, "static const unsigned char %s_bytes[] __attribute__((aligned(16))) = {", name);
	for (size_t i = 0; i < im->file_size; i++)
		fprintf(f, "%s0x%02x,", i % 16 ? " " : "\n\t", im->bytes[i]);
	fprintf(f, "\n};\n\n");
}

static void write_exports(FILE *f, const struct object *o, const struct image *im, const char *name)
{
	for (size_t i = 1; i < o->nr_symbols; i++) {
		const Elf64_Sym *s = &o->symbols[i];
		const char *symbol = object_symbol_name(o, s);

		if (ELF64_ST_BIND(s->st_info) != STB_GLOBAL || strncmp(symbol, EXPORT, strlen(EXPORT)) ||
		    s->st_shndx >= o->header->e_shnum || im->place[s->st_shndx] == NOWHERE)
			continue;
		fprintf(f, "#define %s_%s %#lxul\n", name, symbol + strlen("blob_"),
			(unsigned long)(im->place[s->st_shndx] + s->st_value));
	}
}

bool image_write_header(const struct object *o, const struct image *im, const char *name, const char *out)
{
	_cleanup_free_ char *whole = NULL;
	bool good;
	FILE *f;

	if (asprintf(&whole, "%s.%d.new", out, getpid()) < 0)
		return object_error(o, "no memory");
	f = fopen(whole, "we");
	if (!f) {
		fprintf(stderr, "compel: %s: %s\n", whole, strerror(errno));
		return false;
	}
	fprintf(f, "/* Created by `compel pack` from %s. */\n#pragma once\n#include <compel/compel.h>\n\n", o->path);
	write_bytes(f, im, name);
	fprintf(f, "/* Offsets into the blob. */\n");
	write_exports(f, o, im, name);
	fprintf(f, "\nstatic const struct compel_blob %s = {\n\t.bytes = %s_bytes,\n", name, name);
	fprintf(f, "\t.size = %zu,\n\t.file_size = %zu,\n\t.rw_start = %zu,\n\t.entry = %zu,\n\t.align = %zu,\n};\n",
		im->size, im->file_size, im->rw_start, im->entry, im->align);
	good = !ferror(f);
	good &= !fclose(f);
	if (good && !rename(whole, out))
		return true;
	fprintf(stderr, "compel: cannot write %s: %s\n", out, strerror(errno));
	unlink(whole);
	return false;
}
