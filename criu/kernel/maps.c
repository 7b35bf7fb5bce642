// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/bits.h"
#include "kernel/maps.h"
#include "kernel/scan.h"
#include "util/fds.h"

#define LINE_TYPICAL 60 /* estimated line length in bytes */
static const char deleted_suffix[] = " (deleted)";

/* "r-xp" */
static bool scan_perms(struct scan *s, struct kernel_vma *v)
{
	const char *p = s->p;

	if (scan_left(s) < 5 || (p[0] != 'r' && p[0] != '-') || (p[1] != 'w' && p[1] != '-') ||
	    (p[2] != 'x' && p[2] != '-') || (p[3] != 'p' && p[3] != 's') || p[4] != ' ')
		return false;
	v->prot = (p[0] == 'r' ? PROT_READ : 0) | (p[1] == 'w' ? PROT_WRITE : 0) | (p[2] == 'x' ? PROT_EXEC : 0);
	v->shared = p[3] == 's';
	s->p += 5;
	return true;
}

/* "7f12a000-7f12b000 r-xp 00001000 fd:01 1234 ": all but the name. */
static bool scan_vma(struct scan *s, struct kernel_vma *v)
{
	return scan_hex(s, &v->start) && scan_char(s, '-') && scan_hex(s, &v->end) && scan_char(s, ' ') &&
	       scan_perms(s, v) && scan_hex(s, &v->pgoff) && scan_char(s, ' ') && scan_hex32(s, &v->dev_major) &&
	       scan_char(s, ':') && scan_hex32(s, &v->dev_minor) && scan_char(s, ' ') && scan_u64(s, &v->ino) &&
	       v->start < v->end && !((v->start | v->end) & (PAGE_SZ - 1));
}

/*
 * Terminates and unescapes the name in place: @name points into @text, which is writable up to and including name.end.
 */
static void finish_name(struct kernel_vma *v, char *name, size_t len)
{
	size_t cut = sizeof(deleted_suffix) - 1;

	len = unescape_newlines(name, len);
	if (len > cut && *name != '[' && !memcmp(name + len - cut, deleted_suffix, cut)) {
		len -= cut;
		v->deleted = true;
	}
	name[len] = 0;
	v->name = name;
}

/* Takes ownership of @text (of @len bytes and a NUL), also on failure. */
static int maps_split(char *text, size_t len, struct maps *ret)
{
	struct maps m = { .text = text };
	struct scan s = scan_text(text, len), line;
	uint64_t last = 0;
	int err = array_reserve(&m, len / LINE_TYPICAL + 1);

	while (!err && scan_line(&s, &line)) {
		struct kernel_vma v = { 0 };
		if (!scan_vma(&line, &v) || v.start < last) {
			err = -EBADMSG;
			break;
		}
		/* One space, then padding up to column 73; a name starts with '/' or '[' or a word, never a space. */
		if (line.p < line.end && *line.p != ' ') {
			err = -EBADMSG;
			break;
		}
		while (line.p < line.end && *line.p == ' ')
			line.p++;
		finish_name(&v, text + (line.p - text), line.end - line.p);
		last = v.end;
		err = array_add(&m, v);
	}
	if (err)
		maps_free(&m);
	else
		*ret = m;
	return err;
}

int maps_parse(const char *text, size_t len, struct maps *ret)
{
	struct buf b = { 0 };
	int err = buf_add(&b, text, len);

	return err ? err : maps_split(b.data, len, ret);
}

int maps_read(const struct proc *p, struct maps *ret)
{
	struct buf b = { 0 };
	int err = proc_text(p, "maps", &b);

	if (err) {
		buf_free(&b);
		return err;
	}
	return maps_split(b.data, b.len, ret);
}

void maps_free(struct maps *m)
{
	array_free(m);
	free(m->text);
	m->text = NULL;
}

const struct kernel_vma *maps_find(const struct maps *m, uint64_t addr)
{
	size_t lo = 0, hi = m->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (m->v[mid].end <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < m->n && m->v[lo].start <= addr ? &m->v[lo] : NULL;
}

void map_files_name(const struct kernel_vma *v, char ret[MAP_FILES_NAME])
{
	snprintf(ret, MAP_FILES_NAME, "%llx-%llx", (unsigned long long)v->start, (unsigned long long)v->end);
}

static const char vm_flag_names[VMF_COUNT][3] = {
	[VMF_RD] = "rd", [VMF_WR] = "wr", [VMF_EX] = "ex", [VMF_SH] = "sh", [VMF_MR] = "mr", [VMF_MW] = "mw",
	[VMF_ME] = "me", [VMF_MS] = "ms", [VMF_GD] = "gd", [VMF_PF] = "pf", [VMF_DW] = "dw", [VMF_LO] = "lo",
	[VMF_IO] = "io", [VMF_SR] = "sr", [VMF_RR] = "rr", [VMF_DC] = "dc", [VMF_DE] = "de", [VMF_LF] = "lf",
	[VMF_AC] = "ac", [VMF_NR] = "nr", [VMF_HT] = "ht", [VMF_SF] = "sf", [VMF_NL] = "nl", [VMF_AR] = "ar",
	[VMF_WF] = "wf", [VMF_DD] = "dd", [VMF_SD] = "sd", [VMF_MM] = "mm", [VMF_HG] = "hg", [VMF_NH] = "nh",
	[VMF_MG] = "mg", [VMF_BT] = "bt", [VMF_MT] = "mt", [VMF_UM] = "um", [VMF_UW] = "uw", [VMF_UI] = "ui",
	[VMF_SS] = "ss", [VMF_SL] = "sl", [VMF_GU] = "gu", [VMF_DP] = "dp", [VMF_FT] = "ft",
};

static void add_unknown(struct vma_flags *f, const struct scan *word)
{
	size_t have = strlen(f->unknown), n = scan_left(word);

	if (have + n + 2 > sizeof(f->unknown))
		return;
	if (have)
		f->unknown[have++] = ' ';
	memcpy(f->unknown + have, word->p, n);
	f->unknown[have + n] = 0;
}

unsigned vma_flag_named(const char *name, size_t len)
{
	unsigned i = 0;

	while (i < VMF_COUNT && (len != 2 || memcmp(name, vm_flag_names[i], 2)))
		i++;
	return i;
}

static void scan_vm_flags(struct scan *s, struct vma_flags *f)
{
	struct scan word;
	unsigned int next = 0;

	while (scan_blank(s) && scan_word(s, &word)) {
		unsigned int i = 0;
		/* Usually in the order of the table. */
		for (; i < VMF_COUNT; i++) {
			unsigned int at = (next + i) % VMF_COUNT;
			if (scan_left(&word) == 2 && !memcmp(word.p, vm_flag_names[at], 2)) {
				f->flags |= BIT(at);
				next = at + 1;
				break;
			}
		}
		/* Flags are listed in the order of their bits: the only nameless one between "lo" and "ac" is this. */
		if (i == VMF_COUNT && next <= VMF_LF && (f->flags & BIT(VMF_LO)) && scan_left(&word) == 2 &&
		    !memcmp(word.p, "??", 2)) {
			f->flags |= BIT(VMF_LF);
			next = VMF_LF + 1;
		} else if (i == VMF_COUNT) {
			add_unknown(f, &word);
		}
	}
}

/* A line after the head of a VMA. Only relevant ones are parsed: there are some 25 for each VMA. */
static bool smaps_value(struct scan *line, struct vma_flags *f)
{
	uint64_t *to;

	switch (*line->p) {
	case 'A':
		to = scan_lit(line, "AnonHugePages:") ? &f->thp_kb : NULL;
		break;
	case 'K':
		to = scan_lit(line, "KernelPageSize:") ? &f->page_kb : NULL;
		break;
	case 'R':
		to = scan_lit(line, "Rss:") ? &f->rss_kb : NULL;
		break;
	case 'P':
		if (scan_lit(line, "ProtectionKey:"))
			return scan_blank(line) && scan_int(line, &f->pkey);
		to = scan_lit(line, "Pss:") ? &f->pss_kb : NULL;
		break;
	case 'S':
		to = scan_lit(line, "Swap:") ? &f->swap_kb : NULL;
		break;
	case 'L':
		to = scan_lit(line, "Locked:") ? &f->locked_kb : NULL;
		break;
	case 'V':
		if (scan_lit(line, "VmFlags:"))
			scan_vm_flags(line, f);
		return true;
	default:
		return true;
	}
	return !to || (scan_blank(line) && scan_u64(line, to));
}

static int parse_smaps(const char *text, size_t len, struct vma_flags_array *to, struct buf *heads)
{
	struct scan s = scan_text(text, len), line;
	struct vma_flags *f = NULL;

	while (scan_line(&s, &line)) {
		if (line.p == line.end)
			return -EBADMSG;
		bool head = (*line.p >= '0' && *line.p <= '9') || (*line.p >= 'a' && *line.p <= 'f');
		if (head) {
			struct kernel_vma v;
			if (heads && (buf_add(heads, line.p, scan_left(&line)) || buf_add(heads, "\n", 1)))
				return -ENOMEM;
			if (!scan_vma(&line, &v))
				return -EBADMSG;
			f = array_push(to);
			if (!f)
				return -ENOMEM;
			f->start = v.start;
			f->end = v.end;
			f->pkey = -1;
		} else if (!f || !smaps_value(&line, f)) {
			return -EBADMSG;
		}
	}
	return 0;
}

int smaps_parse(const char *text, size_t len, struct vma_flags_array *to)
{
	return parse_smaps(text, len, to, NULL);
}

int smaps_split(const char *text, size_t len, struct maps *ret_maps, struct vma_flags_array *to)
{
	struct buf heads = { 0 };
	int err = parse_smaps(text, len, to, &heads);

	if (err) {
		buf_free(&heads);
		return err;
	}
	return maps_split(heads.data, heads.len, ret_maps);
}

/*
 * The kernel formats mappings until it has as much as is asked for, and one that exceeds its buffer of a page is dropped and
 * formatted again by the next read: its page tables, some 20 ms for each GiB, are walked twice. So there must be room for another
 * mapping after the last one that is asked for: some 800 bytes and its name.
 */
#define SMAPS_AT_ONCE (PAGE_SZ / 2)

int smaps_read(const struct proc *p, struct maps *ret_maps, struct vma_flags_array *to)
{
	_cleanup_buf_ struct buf b = { 0 };
	int err = read_file_by(p->dir, "smaps", SMAPS_AT_ONCE, &b);

	return err ? err : smaps_split(b.data, b.len, ret_maps, to);
}
