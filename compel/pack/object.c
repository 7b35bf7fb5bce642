// SPDX-License-Identifier: GPL-2.0-only
/* Reads a relocatable object and checks everything that the other files rely on. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "pack.h"

bool object_error(const struct object *o, const char *format, ...)
{
	va_list ap;

	fprintf(stderr, "compel: %s: ", o->path);
	va_start(ap, format);
	vfprintf(stderr, format, ap);
	va_end(ap);
	fputc('\n', stderr);
	return false;
}

static bool read_file(struct object *o)
{
	_cleanup_close_ int fd = open(o->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t have = 0;

	if (fd < 0 || fstat(fd, &st))
		return object_error(o, "%s", strerror(errno));
	o->size = st.st_size;
	o->bytes = malloc(o->size + 1);
	if (!o->bytes)
		return object_error(o, "no memory for %zu bytes", o->size);
	while (have < o->size) {
		ssize_t n = read(fd, o->bytes + have, o->size - have);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return object_error(o, "cannot read: %s", n ? strerror(errno) : "the file was truncated");
		have += n;
	}
	return true;
}

static bool inside(const struct object *o, uint64_t offset, uint64_t len)
{
	return offset <= o->size && len <= o->size - offset;
}

static bool check_sections(struct object *o)
{
	const Elf64_Ehdr *h = o->header;

	if (h->e_shentsize != sizeof(Elf64_Shdr) || !inside(o, h->e_shoff, (uint64_t)h->e_shnum * sizeof(Elf64_Shdr)) ||
	    h->e_shoff % 8 || h->e_shstrndx >= h->e_shnum)
		return object_error(o, "corrupt section table");
	o->sections = (const Elf64_Shdr *)(o->bytes + h->e_shoff);
	for (size_t i = 0; i < h->e_shnum; i++) {
		const Elf64_Shdr *s = &o->sections[i];

		if (s->sh_type != SHT_NOBITS && !inside(o, s->sh_offset, s->sh_size))
			return object_error(o, "section %zu is outside the file", i);
		if (s->sh_addralign & (s->sh_addralign - 1) || s->sh_size > (1u << 30))
			return object_error(o, "section %zu is corrupt", i);
	}
	o->section_names = (const char *)o->bytes + o->sections[h->e_shstrndx].sh_offset;
	o->section_names_size = o->sections[h->e_shstrndx].sh_size;
	return true;
}

static bool find_symbols(struct object *o)
{
	for (size_t i = 0; i < o->header->e_shnum; i++) {
		const Elf64_Shdr *s = &o->sections[i], *names;

		if (s->sh_type != SHT_SYMTAB)
			continue;
		if (s->sh_link >= o->header->e_shnum || s->sh_entsize != sizeof(Elf64_Sym) || s->sh_offset % 8)
			return object_error(o, "corrupt symbol table");
		names = &o->sections[s->sh_link];
		o->symbols = (const Elf64_Sym *)(o->bytes + s->sh_offset);
		o->nr_symbols = s->sh_size / sizeof(Elf64_Sym);
		o->symbol_names = (const char *)o->bytes + names->sh_offset;
		o->symbol_names_size = names->sh_size;
		return true;
	}
	return object_error(o, "no symbol table (was it stripped?)");
}

bool object_load(const char *path, struct object *ret)
{
	struct object *o = ret;

	*o = (struct object){ .path = path };
	if (!read_file(o))
		return false;
	o->header = (const Elf64_Ehdr *)o->bytes;
	if (o->size < sizeof(Elf64_Ehdr) || memcmp(o->header->e_ident, ELFMAG, SELFMAG) ||
	    o->header->e_ident[EI_CLASS] != ELFCLASS64 || !arch_is_machine(o->header))
		return object_error(o, "not an %s ELF file", arch_machine_name());
	if (o->header->e_type != ET_REL)
		return object_error(o, "not a relocatable object: link it with `ld -r`");
	return check_sections(o) && find_symbols(o);
}

void object_free(struct object *o)
{
	free(o->bytes);
	o->bytes = NULL;
}

static const char *name_at(const char *names, size_t size, size_t at)
{
	return at < size && memchr(names + at, 0, size - at) ? names + at : "(corrupt name)";
}

const char *object_section_name(const struct object *o, size_t i)
{
	return i < o->header->e_shnum ? name_at(o->section_names, o->section_names_size, o->sections[i].sh_name) :
					"(none)";
}

const char *object_symbol_name(const struct object *o, const Elf64_Sym *s)
{
	if (ELF64_ST_TYPE(s->st_info) == STT_SECTION)
		return object_section_name(o, s->st_shndx);
	return name_at(o->symbol_names, o->symbol_names_size, s->st_name);
}
