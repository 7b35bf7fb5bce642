// SPDX-License-Identifier: GPL-2.0-only
/* The features of the CPU at the dump, compared with those of this one. */
#include "cpu/cpuinfo.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "cpu/x86_64/features.h"
#include "cpu/x86_64/xcr0.h"
#include "cpuinfo.pb-c.h"
#include "image/reader.h"
#include "image/record.h"
#include "image/writer.h"
#include "image/store.h"
#include "run/options.h"
#include "util/log.h"
#include "util/x86_64/cpuid.h"

#define WORDS_VERSION 2

struct cpu {
	CpuinfoX86Entry entry;
	uint32_t capability[CPU_FEATURE_WORDS];
	char model[49];
};

static CpuinfoX86Entry__Vendor vendor(void)
{
	struct cpuid r;
	char text[13] = "";

	cpuid_ask(0, 0, &r);
	memcpy(text, &r.b, 4);
	memcpy(text + 4, &r.d, 4);
	memcpy(text + 8, &r.c, 4);
	if (!strcmp(text, "GenuineIntel"))
		return CPUINFO_X86_ENTRY__VENDOR__INTEL;
	return strcmp(text, "AuthenticAMD") ? CPUINFO_X86_ENTRY__VENDOR__UNKNOWN : CPUINFO_X86_ENTRY__VENDOR__AMD;
}

static void fill_model(struct cpu *cpu)
{
	CpuinfoX86Entry *e = &cpu->entry;
	const uint32_t version = cpuid_features().a;
	struct cpuid r;

	e->stepping = version & 15;
	e->model = version >> 4 & 15;
	e->cpu_family = version >> 8 & 15;
	if (e->cpu_family == 6 || e->cpu_family == 15)
		e->model += (version >> 16 & 15) << 4;
	if (e->cpu_family == 15)
		e->cpu_family += version >> 20 & 255;
	for (uint32_t i = 0; i < 3; i++) {
		cpuid_ask(0x80000002 + i, 0, &r);
		memcpy(cpu->model + sizeof(r) * i, &r, sizeof(r));
	}
	e->model_id = cpu->model;
}

static void read_cpu(struct cpu *cpu)
{
	CpuinfoX86Entry *e = &cpu->entry;
	struct cpuid r;

	memset(cpu, 0, sizeof(*cpu));
	cpuinfo_x86_entry__init(e);
	e->vendor_id = vendor();
	fill_model(cpu);
	e->capability_ver = WORDS_VERSION;
	e->n_capability = cpu_features_read(cpu->capability);
	e->capability = cpu->capability;
	e->has_xfeatures_mask = true;
	e->xfeatures_mask = cpu_xcr0();
	cpuid_ask(13, 0, &r);
	e->has_xsave_size = e->has_xsave_size_max = true;
	e->xsave_size = r.b;
	e->xsave_size_max = r.c;
}

/* ---- dump ---- */

int cpuinfo_write(struct image_store *store)
{
	CpuinfoEntry entry = CPUINFO_ENTRY__INIT;
	CpuinfoX86Entry *one;
	struct cpu cpu;
	int err;

	read_cpu(&cpu);
	one = &cpu.entry;
	entry.n_x86_entry = 1;
	entry.x86_entry = &one;
	err = image_write_single(store, IMAGE_CPUINFO, 0, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(store)) : 0;
}

/* ---- restore ---- */

static unsigned int names_beyond(const CpuinfoX86Entry *one, const CpuinfoX86Entry *other, bool only_chosen,
				 char names[FEATURE_NAMES_MAX])
{
	const struct cpu_features of = { one->capability, one->n_capability },
				  than = { other->capability, other->n_capability };

	return cpu_features_beyond(&of, &than, only_chosen, names);
}

static int check_alike(const CpuinfoX86Entry *old, const CpuinfoX86Entry *here)
{
	char names[FEATURE_NAMES_MAX];

	if (old->vendor_id != here->vendor_id || old->cpu_family != here->cpu_family || old->model != here->model)
		return fail(
			-EOPNOTSUPP,
			"cpuinfo.img: the dump was created on another CPU (%s: family %u, model %u; this is %s: family %u, "
			"model %u), and --cpu-cap=cpu requires the same; --cpu-cap=ins accepts any with these features",
			old->model_id ? old->model_id : "unknown", old->cpu_family, old->model, here->model_id,
			here->cpu_family, here->model);
	if (names_beyond(here, old, false, names))
		return fail(
			-EOPNOTSUPP,
			"cpuinfo.img: this CPU has more than the one of the dump (%s), and --cpu-cap=cpu requires the same; "
			"--cpu-cap=ins accepts it",
			names);
	if (old->has_xfeatures_mask && old->xfeatures_mask != here->xfeatures_mask)
		return fail(-EOPNOTSUPP,
			    "cpuinfo.img: the registers that this kernel saves (XCR0 %#lx) are not those of the dump "
			    "(%#lx), and --cpu-cap=cpu requires the same",
			    here->xfeatures_mask, old->xfeatures_mask);
	return 0;
}

static int check(const CpuinfoX86Entry *old, uint32_t caps)
{
	const bool only_chosen = caps & CPU_CAP_CHOSEN && !(caps & (CPU_CAP_CPU | CPU_CAP_INS));
	char names[FEATURE_NAMES_MAX];
	struct cpu here;

	read_cpu(&here);
	if (old->capability_ver != WORDS_VERSION || old->n_capability > CPU_FEATURE_WORDS) {
		log_warn("cpuinfo.img: unknown version %u of capabilities: not compared", old->capability_ver);
		return 0;
	}
	if (names_beyond(old, &here.entry, only_chosen, names))
		return fail(
			-EOPNOTSUPP,
			"cpuinfo.img: this CPU lacks features of the one of the dump: %s; restore on a CPU with them, or take the "
			"risk with --cpu-cap=none",
			names);
	return caps & CPU_CAP_CPU ? check_alike(old, &here.entry) : 0;
}

int cpuinfo_compare(struct image_store *store, uint32_t caps)
{
	_cleanup_record_ CpuinfoEntry *entry = NULL;
	int err;

	if (!(caps & (CPU_CAP_CPU | CPU_CAP_INS | CPU_CAP_CHOSEN | CPU_CAP_IMAGE)))
		return 0;
	err = image_read_single(store, IMAGE_CPUINFO, 0, &entry);
	if (err == -ENOENT && !(caps & (CPU_CAP_CPU | CPU_CAP_IMAGE)))
		return 0; /* the dump was not asked to write one */
	if (err == -ENOENT)
		return fail(err,
			    "there is no cpuinfo.img to compare this CPU with: it is created by criu cpuinfo dump, "
			    "or criu dump --cpu-cap=cpu; a restore with --cpu-cap=fpu does not need it");
	if (err < 0)
		return fail(err, "%s", image_store_error(store));
	if (entry->n_x86_entry != 1)
		return fail(-EBADMSG, "cpuinfo.img: %zu CPUs of this type, expected 1", entry->n_x86_entry);
	return check(entry->x86_entry[0], caps);
}
