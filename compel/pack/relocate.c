// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resolve every reference between places of the blob. What would need the address that it
 * will lie at is refused: nobody is there to fix it up.
 */
#include <string.h>

#include "base/bits.h"
#include "pack.h"

#ifndef R_X86_64_GOTPCRELX
#define R_X86_64_GOTPCRELX 41
#define R_X86_64_REX_GOTPCRELX 42
#endif

static const char *type_name(uint32_t type)
{
	static const char *const names[] = {
		[R_X86_64_64] = "R_X86_64_64",
		[R_X86_64_GOT32] = "R_X86_64_GOT32",
		[R_X86_64_32] = "R_X86_64_32",
		[R_X86_64_32S] = "R_X86_64_32S",
		[R_X86_64_16] = "R_X86_64_16",
		[R_X86_64_8] = "R_X86_64_8",
		[R_X86_64_GOTPCREL] = "R_X86_64_GOTPCREL",
		[R_X86_64_TPOFF64] = "R_X86_64_TPOFF64",
		[R_X86_64_TLSGD] = "R_X86_64_TLSGD",
		[R_X86_64_TLSLD] = "R_X86_64_TLSLD",
		[R_X86_64_GOTTPOFF] = "R_X86_64_GOTTPOFF",
		[R_X86_64_TPOFF32] = "R_X86_64_TPOFF32",
		[R_X86_64_GOTOFF64] = "R_X86_64_GOTOFF64",
		[R_X86_64_GOTPC32] = "R_X86_64_GOTPC32",
		[R_X86_64_GOTPCRELX] = "R_X86_64_GOTPCRELX",
		[R_X86_64_REX_GOTPCRELX] = "R_X86_64_REX_GOTPCRELX",
	};

	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "unknown";
}

/* An access through a table of addresses, made a direct one: there is no table. False for instructions that cannot. */
static bool relax(uint8_t *field, size_t before)
{
	if (before < 2)
		return false;
	if (field[-2] == 0x8b) { /* mov sym@GOTPCREL(%rip), %reg: lea */
		field[-2] = 0x8d;
		return true;
	}
	if (field[-2] == 0xff && field[-1] == 0x15) { /* call *sym@GOTPCREL(%rip): addr32 call */
		field[-2] = 0x67;
		field[-1] = 0xe8;
		return true;
	}
	if (field[-2] == 0xff && field[-1] == 0x25) { /* jmp *: a prefix that means nothing here, and jmp */
		field[-2] = 0x2e;
		field[-1] = 0xe9;
		return true;
	}
	return false;
}

struct site {
	const struct object *o;
	struct image *im;
	size_t section; /* that it lies in */
	const Elf64_Rela *rel;
	const Elf64_Sym *symbol;
};

static bool refuse(const struct site *at, const char *why)
{
	uint32_t type = ELF64_R_TYPE(at->rel->r_info);

	return object_complain(at->o, "%s+%#lx: relocation %s (%u) against %s: %s",
			       object_section_name(at->o, at->section), (unsigned long)at->rel->r_offset,
			       type_name(type), type, object_symbol_name(at->o, at->symbol), why);
}

static bool apply(const struct site *at)
{
	const Elf64_Rela *rel = at->rel;
	uint32_t type = ELF64_R_TYPE(rel->r_info), shndx = at->symbol->st_shndx;
	size_t field = at->im->place[at->section] + rel->r_offset, width = type == R_X86_64_PC64 ? 8 : 4;
	int64_t value;

	if (type == R_X86_64_NONE)
		return true;
	if (rel->r_offset > at->o->sections[at->section].sh_size ||
	    width > at->o->sections[at->section].sh_size - rel->r_offset)
		return refuse(at, "outside of its section");
	switch (type) {
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
	case R_X86_64_PC64:
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
		break;
	default:
		return refuse(at, "needs an absolute address, which a blob cannot have");
	}
	if (shndx >= at->o->header->e_shnum || at->im->place[shndx] == NOWHERE)
		return refuse(at, "points out of the blob");
	if (type != R_X86_64_PC32 && type != R_X86_64_PLT32 && type != R_X86_64_PC64 &&
	    (rel->r_addend != -4 || !relax(at->im->bytes + field, rel->r_offset)))
		return refuse(at, "goes through a table of addresses, in an instruction that cannot do without");
	value = (int64_t)(at->im->place[shndx] + at->symbol->st_value) + rel->r_addend - (int64_t)field;
	if (width == 4 && value != (int32_t)value)
		return refuse(at, "too far away");
	memcpy(at->im->bytes + field, &value, width); /* this machine and the target are little-endian */
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
			return object_complain(o, "section %s: not relocations of this CPU", object_section_name(o, i));
		for (size_t r = 0; r < s->sh_size / sizeof(*rels); r++) {
			struct site at = { o, im, s->sh_info, &rels[r], NULL };
			size_t symbol = ELF64_R_SYM(rels[r].r_info);

			if (symbol >= o->nr_symbols || o->sections[s->sh_info].sh_type == SHT_NOBITS)
				return object_complain(o, "section %s is damaged", object_section_name(o, i));
			at.symbol = &o->symbols[symbol];
			good &= apply(&at);
		}
	}
	return good;
}
