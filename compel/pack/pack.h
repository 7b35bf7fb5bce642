/* SPDX-License-Identifier: GPL-2.0-only */
/* `compel pack`: converts a relocatable object to code that runs at any page-aligned address. */
#pragma once
#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An ELF file in memory; every offset in it has been checked against its size. */
struct object {
	const char *path;
	uint8_t *bytes;
	size_t size;
	const Elf64_Ehdr *header;
	const Elf64_Shdr *sections;
	const char *section_names;
	size_t section_names_size;
	const Elf64_Sym *symbols;
	size_t nr_symbols;
	const char *symbol_names;
	size_t symbol_names_size;
};

/* The resulting blob. */
struct image {
	uint8_t *bytes;
	size_t size, file_size, rw_start, entry, align;
	/* Offset of each section of the object; NOWHERE for those left out. */
	size_t *place;
};
#define NOWHERE ((size_t)-1)

/* object.c. Errors are printed and returned as false, here and below: this is a host program. */
bool object_load(const char *path, struct object *ret);
void object_free(struct object *o);
const char *object_section_name(const struct object *o, size_t i);
const char *object_symbol_name(const struct object *o, const Elf64_Sym *s);
__attribute__((format(printf, 2, 3))) bool object_error(const struct object *o, const char *format, ...);

/* layout.c */
bool image_lay_out(const struct object *o, const char *entry, struct image *ret);
void image_free(struct image *im);

/* relocate.c */
bool image_relocate(const struct object *o, struct image *im);

/* arch/NAME/pack/relocations.c: CPU-specific parts */
bool arch_is_machine(const Elf64_Ehdr *header);
const char *arch_machine_name(void);
const char *arch_relocation_name(uint32_t type);

enum relocation_class {
	RELOCATION_NONE, /* nothing to do */
	RELOCATION_RELATIVE, /* the distance from the field to the symbol */
	RELOCATION_TABLE, /* the same, to the symbol's entry in the global offset table */
	RELOCATION_ABSOLUTE, /* all others */
};
enum relocation_class arch_relocation_class(uint32_t type);
size_t arch_relocation_width(uint32_t type);
/*
 * Converts an access through the global offset table, which a blob does not have, to a direct one. @before: bytes of
 * the section before @field. False for instructions for which that is impossible.
 */
bool arch_relocation_relax(uint8_t *field, size_t before, int64_t addend);
/* False: the value is out of range. */
bool arch_relocation_store(uint8_t *field, uint32_t type, int64_t value);

/* header.c */
bool image_write_header(const struct object *o, const struct image *im, const char *name, const char *out);
