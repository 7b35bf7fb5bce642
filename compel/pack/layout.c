// SPDX-License-Identifier: GPL-2.0-only
/* Assigns a place to every loaded section: code, constants, then, from a page boundary on, writable data. */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "pack.h"

enum part { CODE, CONSTANTS, DATA, BSS, LEFT_OUT };

static enum part part_of(const struct object *o, size_t i)
{
	const Elf64_Shdr *s = &o->sections[i];
	const char *name = object_section_name(o, i);

	/* Blobs are not unwound, and their notes are not read. */
	if (!(s->sh_flags & SHF_ALLOC) || s->sh_type == SHT_NOTE || !strcmp(name, ".eh_frame"))
		return LEFT_OUT;
	if (s->sh_flags & SHF_EXECINSTR)
		return CODE;
	if (!(s->sh_flags & SHF_WRITE))
		return CONSTANTS;
	return s->sh_type == SHT_NOBITS ? BSS : DATA;
}

static bool check_section(const struct object *o, size_t i)
{
	const Elf64_Shdr *s = &o->sections[i];

	if (part_of(o, i) == LEFT_OUT)
		return true;
	if (s->sh_flags & SHF_TLS)
		return object_error(o, "section %s: thread-local data are not supported in a blob",
				    object_section_name(o, i));
	if (s->sh_type == SHT_INIT_ARRAY || s->sh_type == SHT_FINI_ARRAY || s->sh_type == SHT_PREINIT_ARRAY)
		return object_error(o, "section %s: constructors are not called in a blob", object_section_name(o, i));
	if (s->sh_addralign > PAGE_SZ)
		return object_error(o, "section %s: aligned to more than a page", object_section_name(o, i));
	return true;
}

static void place_part(const struct object *o, enum part part, struct image *im)
{
	for (size_t i = 0; i < o->header->e_shnum; i++) {
		const Elf64_Shdr *s = &o->sections[i];
		size_t align = MAX_OF(s->sh_addralign, 1);

		if (part_of(o, i) != part || !s->sh_size)
			continue;
		if (part >= DATA && im->rw_start == NOWHERE)
			im->rw_start = im->size = ROUND_UP(im->size, PAGE_SZ);
		im->size = ROUND_UP(im->size, align);
		im->place[i] = im->size;
		im->size += s->sh_size;
		im->align = MAX_OF(im->align, align);
		if (part != BSS)
			im->file_size = im->size;
	}
}

static bool find_entry(const struct object *o, const char *entry, struct image *im)
{
	for (size_t i = 1; i < o->nr_symbols; i++) {
		const Elf64_Sym *s = &o->symbols[i];

		if (ELF64_ST_BIND(s->st_info) != STB_GLOBAL || strcmp(object_symbol_name(o, s), entry) ||
		    s->st_shndx >= o->header->e_shnum || im->place[s->st_shndx] == NOWHERE)
			continue;
		if (part_of(o, s->st_shndx) != CODE || s->st_value >= o->sections[s->st_shndx].sh_size)
			return object_error(o, "%s is not a function", entry);
		im->entry = im->place[s->st_shndx] + s->st_value;
		return true;
	}
	return object_error(o, "no global function %s, the entry point of the blob", entry);
}

static bool check_symbols(const struct object *o)
{
	bool good = true;

	for (size_t i = 1; i < o->nr_symbols; i++) {
		const Elf64_Sym *s = &o->symbols[i];

		/* The assembler leaves this symbol behind even if relaxation makes the table unnecessary. */
		if (!strcmp(object_symbol_name(o, s), "_GLOBAL_OFFSET_TABLE_"))
			continue;
		if (s->st_shndx == SHN_UNDEF && ELF64_ST_BIND(s->st_info) != STB_LOCAL)
			good = object_error(o, "undefined symbol %s", object_symbol_name(o, s));
		else if (s->st_shndx == SHN_COMMON)
			good = object_error(o, "common symbol %s: compile with -fno-common", object_symbol_name(o, s));
	}
	return good;
}

bool image_lay_out(const struct object *o, const char *entry, struct image *ret)
{
	struct image *im = ret;

	*im = (struct image){ .rw_start = NOWHERE, .align = 16 };
	im->place = malloc(o->header->e_shnum * sizeof(*im->place) + 1);
	if (!im->place)
		return object_error(o, "no memory");
	for (size_t i = 0; i < o->header->e_shnum; i++) {
		im->place[i] = NOWHERE;
		if (!check_section(o, i))
			return false;
	}
	if (!check_symbols(o))
		return false;
	for (enum part part = CODE; part <= BSS; part++)
		place_part(o, part, im);
	if (im->rw_start == NOWHERE)
		im->rw_start = im->size;
	if (!find_entry(o, entry, im))
		return false;
	im->bytes = calloc(1, im->size);
	if (!im->bytes)
		return object_error(o, "no memory for %zu bytes", im->size);
	for (size_t i = 0; i < o->header->e_shnum; i++)
		if (im->place[i] != NOWHERE && o->sections[i].sh_type != SHT_NOBITS)
			memcpy(im->bytes + im->place[i], o->bytes + o->sections[i].sh_offset, o->sections[i].sh_size);
	return true;
}

void image_free(struct image *im)
{
	free(im->bytes);
	free(im->place);
}
