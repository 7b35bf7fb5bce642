/* SPDX-License-Identifier: GPL-2.0-only */
/* `compel pack`: a relocatable object made into bytes that run at any page-aligned address. */
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

/* What becomes of it. */
struct image {
	uint8_t *bytes;
	size_t size, file_size, rw_start, entry, align;
	/* Where each section of the object lies; NOWHERE for those left out. */
	size_t *place;
};
#define NOWHERE ((size_t)-1)

/* object.c. Errors are printed and returned as false, here and below: this is a host program. */
bool object_load(const char *path, struct object *ret);
void object_free(struct object *o);
const char *object_section_name(const struct object *o, size_t i);
const char *object_symbol_name(const struct object *o, const Elf64_Sym *s);
__attribute__((format(printf, 2, 3))) bool object_complain(const struct object *o, const char *format, ...);

/* layout.c */
bool image_lay_out(const struct object *o, const char *entry, struct image *ret);
void image_free(struct image *im);

/* relocate.c */
bool image_relocate(const struct object *o, struct image *im);

/* header.c */
bool image_write_header(const struct object *o, const struct image *im, const char *name, const char *out);
