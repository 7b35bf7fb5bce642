// SPDX-License-Identifier: GPL-2.0-only
/* Relocations of x86-64 for `compel pack`; for their types see the psABI, section "Relocation". */
#include <string.h>

#include "base/bits.h"
#include "../../../pack/pack.h"

#ifndef R_X86_64_GOTPCRELX
#define R_X86_64_GOTPCRELX 41
#define R_X86_64_REX_GOTPCRELX 42
#endif

bool arch_is_machine(const Elf64_Ehdr *header)
{
	return header->e_machine == EM_X86_64;
}

const char *arch_machine_name(void)
{
	return "x86_64";
}

const char *arch_relocation_name(uint32_t type)
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

enum relocation_class arch_relocation_class(uint32_t type)
{
	switch (type) {
	case R_X86_64_NONE:
		return RELOCATION_NONE;
	case R_X86_64_PC32:
	case R_X86_64_PLT32:
	case R_X86_64_PC64:
		return RELOCATION_RELATIVE;
	case R_X86_64_GOTPCREL:
	case R_X86_64_GOTPCRELX:
	case R_X86_64_REX_GOTPCRELX:
		return RELOCATION_TABLE;
	}
	return RELOCATION_ABSOLUTE;
}

size_t arch_relocation_width(uint32_t type)
{
	return type == R_X86_64_PC64 ? 8 : 4;
}

bool arch_relocation_relax(uint8_t *field, size_t before, int64_t addend)
{
	if (before < 2 || addend != -4)
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
	if (field[-2] == 0xff && field[-1] == 0x25) { /* jmp *: a prefix without effect, and jmp */
		field[-2] = 0x2e;
		field[-1] = 0xe9;
		return true;
	}
	return false;
}

bool arch_relocation_store(uint8_t *field, uint32_t type, int64_t value)
{
	size_t width = arch_relocation_width(type);

	if (width == 4 && value != (int32_t)value)
		return false;
	memcpy(field, &value, width); /* this machine and the target are little-endian */
	return true;
}
