// SPDX-License-Identifier: GPL-2.0-only
/* Parses a vDSO. Every access is checked against its length. */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include "base/bits.h"
#include "memory/vdso_code.h"
#include "memory/vdso_elf.h"
#include "util/log.h"

struct elf {
	const uint8_t *bytes;
	uint64_t len;
	uint64_t bias; /* address in the file minus offset */
	uint64_t dynamic, dynamic_len;
	uint64_t strtab, strsz, symtab, hash, gnu_hash; /* offsets; 0: absent */
};

static bool take(const struct elf *e, uint64_t offset, void *to, size_t size)
{
	if (offset > e->len || size > e->len - offset)
		return false;
	memcpy(to, e->bytes + offset, size);
	return true;
}

static const char *read_header(struct elf *e, struct vdso_symbols *symbols)
{
	bool loaded = false, dynamic = false;
	Elf64_Ehdr head;
	Elf64_Phdr ph;

	if (!take(e, 0, &head, sizeof(head)) || memcmp(head.e_ident, ELFMAG, SELFMAG))
		return "it is not an ELF file";
	if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_type != ET_DYN ||
	    !vdso_code_is_ours(head.e_machine))
		return "it is not a shared object for this CPU";
	if (head.e_phentsize != sizeof(ph) || head.e_phnum > 32)
		return "its program headers are invalid";
	for (unsigned i = 0; i < head.e_phnum; i++) {
		if (head.e_phoff > e->len || !take(e, head.e_phoff + i * sizeof(ph), &ph, sizeof(ph)))
			return "its program headers are out of bounds";
		if (ph.p_type == PT_LOAD && !loaded) {
			if (ph.p_offset > e->len || ph.p_filesz > e->len - ph.p_offset)
				return "its segment is longer than its memory";
			loaded = true;
			e->bias = ph.p_vaddr - ph.p_offset;
			symbols->loaded = ph.p_offset + ph.p_filesz;
		} else if (ph.p_type == PT_DYNAMIC && !dynamic) {
			dynamic = true;
			e->dynamic = ph.p_offset;
			e->dynamic_len = ph.p_filesz;
		}
	}
	return loaded && dynamic ? NULL : "it lacks a segment or a dynamic section";
}

static const char *read_dynamic(struct elf *e)
{
	Elf64_Dyn dyn;

	for (uint64_t at = 0; at < e->dynamic_len; at += sizeof(dyn)) {
		if (e->dynamic > e->len || at > e->len || !take(e, e->dynamic + at, &dyn, sizeof(dyn)))
			return "its dynamic section is out of bounds";
		switch (dyn.d_tag) {
		case DT_NULL:
			e->dynamic_len = 0;
			break;
		case DT_STRTAB:
			e->strtab = dyn.d_un.d_ptr - e->bias;
			break;
		case DT_STRSZ:
			e->strsz = dyn.d_un.d_val;
			break;
		case DT_SYMTAB:
			e->symtab = dyn.d_un.d_ptr - e->bias;
			break;
		case DT_HASH:
			e->hash = dyn.d_un.d_ptr - e->bias;
			break;
		case DT_GNU_HASH:
			e->gnu_hash = dyn.d_un.d_ptr - e->bias;
			break;
		}
	}
	if (!e->strtab || !e->symtab || e->strtab > e->len || e->strsz > e->len - e->strtab || e->symtab > e->len)
		return "its symbol tables are out of bounds";
	return NULL;
}

/* In a DT_GNU_HASH table, the chain that starts last ends at the highest symbol. */
static bool count_gnu_hash(const struct elf *e, uint64_t *ret_nr)
{
	struct {
		uint32_t buckets, first, bloom, shift;
	} head;
	uint64_t chains, last = 0;
	uint32_t word = 0;

	if (!take(e, e->gnu_hash, &head, sizeof(head)))
		return false;
	chains = e->gnu_hash + sizeof(head) + head.bloom * 8ull;
	for (uint32_t i = 0; i < head.buckets; i++, chains += 4) {
		if (!take(e, chains, &word, sizeof(word)))
			return false;
		last = MAX_OF(last, word);
	}
	if (last < head.first) {
		*ret_nr = head.first;
		return true;
	}
	do {
		if (!take(e, chains + (last++ - head.first) * 4, &word, sizeof(word)))
			return false;
	} while (!(word & 1));
	*ret_nr = last;
	return true;
}

static bool count_symbols(const struct elf *e, uint64_t *ret_nr)
{
	uint32_t head[2];

	if (!e->hash)
		return e->gnu_hash && count_gnu_hash(e, ret_nr);
	if (!take(e, e->hash, head, sizeof(head)))
		return false;
	*ret_nr = head[1];
	return true;
}

static const char *add_symbol(const struct elf *e, const Elf64_Sym *sym, struct vdso_symbols *symbols)
{
	uint64_t offset = sym->st_value - e->bias;
	const char *name;

	if (ELF64_ST_TYPE(sym->st_info) != STT_FUNC || sym->st_shndx == SHN_UNDEF)
		return NULL;
	if (sym->st_name >= e->strsz)
		return "a function name is out of bounds";
	name = (const char *)e->bytes + e->strtab + sym->st_name;
	if (!memchr(name, 0, e->strsz - sym->st_name))
		return "a function name is not terminated";
	if (offset >= e->len)
		return "a function is out of bounds";
	if (symbols->n == VDSO_MAX_SYMBOLS)
		return "it has more functions than supported";
	symbols->v[symbols->n++] = (struct vdso_symbol){ name, offset };
	return NULL;
}

const char *vdso_parse(const void *bytes, size_t len, struct vdso_symbols *ret_symbols)
{
	struct elf e = { .bytes = bytes, .len = len };
	struct vdso_symbols symbols = { .n = 0 };
	uint64_t nr = 0;
	const char *why;
	Elf64_Sym sym;

	if (len > VDSO_MAX_LEN)
		return "it is too long";
	why = read_header(&e, &symbols);
	if (!why)
		why = read_dynamic(&e);
	if (!why && !count_symbols(&e, &nr))
		why = "its hash table is out of bounds";
	for (uint64_t i = 0; !why && i < nr; i++)
		why = take(&e, e.symtab + i * sizeof(sym), &sym, sizeof(sym)) ? add_symbol(&e, &sym, &symbols) :
										"its symbols are out of bounds";
	if (!why)
		*ret_symbols = symbols;
	return why;
}

static const struct vdso_symbol *find(const struct vdso_symbols *in, const char *name)
{
	for (size_t i = 0; i < in->n; i++)
		if (!strcmp(in->v[i].name, name))
			return &in->v[i];
	return NULL;
}

bool vdso_same_symbols(const struct vdso_symbols *a, const struct vdso_symbols *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct vdso_symbol *other = find(b, a->v[i].name);

		if (!other || other->offset != a->v[i].offset || !find(a, b->v[i].name))
			return false;
	}
	return true;
}

static const char *plain_name(const char *name)
{
	return strncmp(name, "__vdso_", 7) ? name : name + 7;
}

/* The function of @own with one of the names that @old has at @offset. */
static const struct vdso_symbol *successor(const struct vdso_symbols *old, uint64_t offset,
					   const struct vdso_symbols *own)
{
	for (size_t i = 0; i < old->n; i++) {
		if (old->v[i].offset != offset)
			continue;
		for (size_t k = 0; own && k < own->n; k++)
			if (!strcmp(plain_name(own->v[k].name), plain_name(old->v[i].name)))
				return &own->v[k];
	}
	return NULL;
}

/* Bytes from a function to the next one. */
static uint64_t room_at(const struct vdso_symbols *in, uint64_t offset, uint64_t end)
{
	for (size_t i = 0; i < in->n; i++)
		if (in->v[i].offset > offset && in->v[i].offset < end)
			end = in->v[i].offset;
	return end - offset;
}

static bool seen_before(const struct vdso_symbols *in, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (in->v[k].offset == in->v[i].offset)
			return true;
	return false;
}

int vdso_make_patches(const struct vdso_at *old, const struct vdso_at *own,
		      struct wire_vdso_patch ret_patches[VDSO_MAX_SYMBOLS], size_t *ret_nr)
{
	const struct vdso_symbols *symbols = old->symbols;
	size_t nr = 0;

	for (size_t i = 0; i < symbols->n; i++) {
		uint64_t offset = symbols->v[i].offset;
		struct wire_vdso_patch *patch = &ret_patches[nr];
		const char *name = plain_name(symbols->v[i].name);
		const struct vdso_symbol *next;

		if (seen_before(symbols, i))
			continue;
		next = successor(symbols, offset, own->symbols);
		if (next)
			vdso_code_jump(own->at + next->offset, patch);
		else if (!vdso_code_stub(name, patch))
			log_warn("this kernel's vDSO has no function %.40s: it fails with ENOSYS after the restore",
				 name);
		if (patch->len > room_at(symbols, offset, old->len))
			return fail(-EOPNOTSUPP,
				    "function %.40s of the image's vDSO is too short to be redirected to this "
				    "kernel's: restore on the kernel that it was dumped on",
				    name);
		patch->at = old->at + offset;
		nr++;
	}
	*ret_nr = nr;
	return 0;
}
