// SPDX-License-Identifier: GPL-2.0-only
/* The parsers of criu/kernel on arbitrary bytes: the first one selects the parser, the rest is its text. */
#include <stdlib.h>

#include "kernel/fdinfo.h"
#include "kernel/locks.h"
#include "kernel/maps.h"
#include "kernel/mountinfo.h"
#include "kernel/proc_pid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_stat(const char *text, size_t len)
{
	struct proc_stat st;
	struct proc_timens tn;

	proc_stat_parse(text, len, &st);
	proc_timens_parse(text, len, &tn);
}

static void try_status(const char *text, size_t len)
{
	struct proc_status st;

	if (!proc_status_parse(text, len, &st))
		proc_status_free(&st);
}

static void try_lists(const char *text, size_t len)
{
	struct proc_timers timers = { 0 };
	struct file_locks locks = { 0 };
	struct proc_cgroups cgroups;

	proc_timers_parse(text, len, &timers);
	locks_parse(text, len, &locks);
	if (!proc_cgroups_parse(text, len, &cgroups)) {
		for (size_t i = 0; i < cgroups.n; i++)
			if (strlen(cgroups.v[i].path) + strlen(cgroups.v[i].controllers) > len)
				abort();
		proc_cgroups_free(&cgroups);
	}
	array_free(&timers);
	array_free(&locks);
}

static void try_maps(const char *text, size_t len)
{
	struct maps m;

	if (maps_parse(text, len, &m))
		return;
	for (size_t i = 0; i < m.n; i++) {
		if (m.v[i].start >= m.v[i].end || (i && m.v[i].start < m.v[i - 1].end) || strlen(m.v[i].name) > len)
			abort();
		if (maps_find(&m, m.v[i].start) != &m.v[i])
			abort();
	}
	maps_free(&m);
}

static void try_smaps(const char *text, size_t len)
{
	struct vma_flags_array f = { 0 };

	smaps_parse(text, len, &f);
	for (size_t i = 0; i < f.n; i++)
		if (strlen(f.v[i].unknown) >= sizeof(f.v[i].unknown))
			abort();
	array_free(&f);
}

static void try_fdinfo(const char *text, size_t len)
{
	struct fdinfo f;

	if (fdinfo_parse(text, len, &f))
		return;
	for (size_t i = 0; i < f.n; i++)
		if (f.v[i].tag == FDINFO_INOTIFY_WD && f.v[i].inotify.handle.bytes > FDINFO_HANDLE_MAX)
			abort();
	fdinfo_free(&f);
}

static void try_mountinfo(const char *text, size_t len)
{
	struct mountinfo m;

	if (mountinfo_parse(text, len, &m))
		return;
	for (size_t i = 0; i < m.n; i++) {
		const struct mount_info *v = &m.v[i];
		if (strlen(v->root) + strlen(v->mountpoint) + strlen(v->options) + strlen(v->fstype) +
			    strlen(v->source) + strlen(v->sb_options) >
		    len)
			abort();
	}
	mountinfo_free(&m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const parsers[])(const char *, size_t) = {
		try_stat, try_status, try_lists, try_maps, try_smaps, try_fdinfo, try_mountinfo,
	};

	if (!size)
		return 0;
	/* A copy without a terminating 0: an overread by one byte is detected. */
	char *text = malloc(size - 1 ? size - 1 : 1);
	if (!text)
		return 0;
	memcpy(text, data + 1, size - 1);
	parsers[data[0] % (sizeof(parsers) / sizeof(parsers[0]))](text, size - 1);
	free(text);
	return 0;
}
