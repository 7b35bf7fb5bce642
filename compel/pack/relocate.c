// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resolves all references within the blob. Those that depend on its final address are errors: no loader would fix them
 * up.
 */
#include "pack.h"

struct site {
	const struct object *o;
	struct image *im;
	size_t section; /* index of the containing section */
	const Elf64_Rela *rel;
	const Elf64_Sym *symbol;
};

static bool refuse(const struct site *at, const char *why)
{
	uint32_t type = ELF64_R_TYPE(at->rel->r_info);

	return object_error(at->o, "%s+%#lx: relocation %s (%u) against %s: %s",
			    object_section_name(at->o, at->section), (unsigned long)at->rel->r_offset,
			    arch_relocation_name(type), type, object_symbol_name(at->o, at->symbol), why);
}

static bool apply(const struct site *at)
{
	const Elf64_Rela *rel = at->rel;
	uint32_t type = ELF64_R_TYPE(rel->r_info), shndx = at->symbol->st_shndx;
	size_t field = at->im->place[at->section] + rel->r_offset, width = arch_relocation_width(type);
	enum relocation_class kind = arch_relocation_class(type);
	uint8_t *bytes = at->im->bytes + field;

	if (kind == RELOCATION_NONE)
		return true;
	if (rel->r_offset > at->o->sections[at->section].sh_size ||
	    width > at->o->sections[at->section].sh_size - rel->r_offset)
		return refuse(at, "outside its section");
	if (kind == RELOCATION_ABSOLUTE)
		return refuse(at, "needs an absolute address, which a blob cannot have");
	if (shndx >= at->o->header->e_shnum || at->im->place[shndx] == NOWHERE)
		return refuse(at, "refers to an address outside the blob");
	if (kind == RELOCATION_TABLE && !arch_relocation_relax(bytes, rel->r_offset, rel->r_addend))
		return refuse(at, "uses the global offset table, in an instruction that cannot be relaxed");
	if (!arch_relocation_store(bytes, type,
				   (int64_t)(at->im->place[shndx] + at->symbol->st_value) + rel->r_addend -
					   (int64_t)field))
		return refuse(at, "value out of range");
	return true;
}

bool image_relocate(const struct object *o, struct image *im)
{
	bool good = true;

	for (size_t i = 0; i < o->header->e_shnum; i++) {
		const Elf64_Shdr *s = &o->sections[i];
		const Elf64_Rela *rels = (const Elf64_Rela *)(o->bytes + s->sh_offset);

		if ((s->sh_type != SHT_RELA && s->sh_type != SHT_REL) || s->sh_info >= o->header->e_shnum ||
		    im->place[s->sh_info] == NOWHERE)
			continue;
		if (s->sh_type == SHT_REL || s->sh_entsize != sizeof(*rels) || s->sh_offset % 8)
			return object_error(o, "section %s: unsupported relocation format for this CPU",
					    object_section_name(o, i));
		for (size_t r = 0; r < s->sh_size / sizeof(*rels); r++) {
			struct site at = { o, im, s->sh_info, &rels[r], NULL };
			size_t symbol = ELF64_R_SYM(rels[r].r_info);

			if (symbol >= o->nr_symbols || o->sections[s->sh_info].sh_type == SHT_NOBITS)
				return object_error(o, "section %s is corrupt", object_section_name(o, i));
			at.symbol = &o->symbols[symbol];
			good &= apply(&at);
		}
	}
	return good;
}
