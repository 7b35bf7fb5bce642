// SPDX-License-Identifier: GPL-2.0-only
/* /proc/PID/status, /proc/PID/task/TID/status. Unknown lines are skipped. */
#include <errno.h>
#include <stdio.h>
#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "kernel/scan.h"

enum status_type { ST_CHAR, ST_PID, ST_U32, ST_OCT, ST_HEX, ST_KB, ST_INT, ST_IDS, ST_GROUPS, ST_NSPIDS, ST_SIGQ };

#define ST(name) offsetof(struct proc_status, name)
static const struct status_key {
	const char *name;
	enum status_type type;
	size_t at;
} status_keys[] = {
	{ "Umask", ST_OCT, ST(umask) },
	{ "State", ST_CHAR, ST(state) },
	{ "Tgid", ST_PID, ST(tgid) },
	{ "Ngid", ST_PID, ST(ngid) },
	{ "Pid", ST_PID, ST(pid) },
	{ "PPid", ST_PID, ST(ppid) },
	{ "TracerPid", ST_PID, ST(tracer) },
	{ "Uid", ST_IDS, ST(uid) },
	{ "Gid", ST_IDS, ST(gid) },
	{ "FDSize", ST_U32, ST(fd_size) },
	{ "Groups", ST_GROUPS, ST(groups) },
	{ "NStgid", ST_NSPIDS, ST(nstgid) },
	{ "NSpid", ST_NSPIDS, ST(nspid) },
	{ "NSpgid", ST_NSPIDS, ST(nspgid) },
	{ "NSsid", ST_NSPIDS, ST(nssid) },
	{ "Kthread", ST_INT, ST(kthread) },
	{ "VmSize", ST_KB, ST(vm_size_kb) },
	{ "VmLck", ST_KB, ST(vm_locked_kb) },
	{ "VmRSS", ST_KB, ST(vm_rss_kb) },
	{ "CoreDumping", ST_INT, ST(core_dumping) },
	{ "THP_enabled", ST_INT, ST(thp_enabled) },
	{ "untag_mask", ST_HEX, ST(untag_mask) },
	{ "Threads", ST_U32, ST(threads) },
	{ "SigQ", ST_SIGQ, ST(sigq_used) },
	{ "SigPnd", ST_HEX, ST(sig_pending) },
	{ "ShdPnd", ST_HEX, ST(shared_pending) },
	{ "SigBlk", ST_HEX, ST(sig_blocked) },
	{ "SigIgn", ST_HEX, ST(sig_ignored) },
	{ "SigCgt", ST_HEX, ST(sig_caught) },
	{ "CapInh", ST_HEX, ST(cap_inh) },
	{ "CapPrm", ST_HEX, ST(cap_prm) },
	{ "CapEff", ST_HEX, ST(cap_eff) },
	{ "CapBnd", ST_HEX, ST(cap_bnd) },
	{ "CapAmb", ST_HEX, ST(cap_amb) },
	{ "NoNewPrivs", ST_U32, ST(no_new_privs) },
	{ "Seccomp", ST_U32, ST(seccomp) },
	{ "Seccomp_filters", ST_U32, ST(seccomp_filters) },
};

static int status_ids(struct scan *s, uint32_t *ids)
{
	for (int i = 0; i < 4; i++) {
		scan_blank(s);
		if (!scan_u32(s, &ids[i]))
			return -EBADMSG;
	}
	return 0;
}

static int status_groups(struct scan *s, struct gid_array *groups)
{
	uint32_t gid;

	groups->n = 0;
	while (scan_blank(s) && scan_u32(s, &gid))
		if (array_add(groups, gid))
			return -ENOMEM;
	return scan_at_end(s) ? 0 : -EBADMSG;
}

static int status_nspids(struct scan *s, struct proc_status *st, pid_t *pids)
{
	unsigned int n = 0;

	for (; n < PROC_NS_LEVELS; n++) {
		scan_blank(s);
		if (!scan_int(s, &pids[n]))
			break;
	}
	if (!n || !scan_at_end(s))
		return -EBADMSG;
	/* The four lines have the same number of values. */
	if (st->levels && st->levels != n)
		return -EBADMSG;
	st->levels = n;
	return 0;
}

static int status_value(struct scan *s, const struct status_key *k, struct proc_status *st)
{
	void *at = (char *)st + k->at;
	uint64_t v;
	bool ok;

	scan_blank(s);
	switch (k->type) {
	case ST_CHAR:
		ok = s->p < s->end;
		if (ok)
			*(char *)at = *s->p;
		break;
	case ST_PID:
	case ST_INT:
		ok = scan_int(s, at);
		break;
	case ST_U32:
		ok = scan_u32(s, at);
		break;
	case ST_OCT:
		ok = scan_oct(s, &v) && v <= 0777;
		if (ok)
			*(uint32_t *)at = v;
		st->has_umask = ok;
		break;
	case ST_HEX:
		scan_lit(s, "0x");
		ok = scan_hex(s, at);
		break;
	case ST_KB:
		ok = scan_u64(s, at);
		st->has_mm = true;
		break;
	case ST_IDS:
		return status_ids(s, at);
	case ST_GROUPS:
		return status_groups(s, at);
	case ST_NSPIDS:
		return status_nspids(s, st, at);
	case ST_SIGQ:
		ok = scan_u64(s, &st->sigq_used) && scan_char(s, '/') && scan_u64(s, &st->sigq_max);
		break;
	default:
		ok = false;
	}
	return ok ? 0 : -EBADMSG;
}

int proc_status_parse(const char *text, size_t len, struct proc_status *ret)
{
	struct proc_status st = { .kthread = -1, .core_dumping = -1, .thp_enabled = -1 };
	struct scan s = scan_text(text, len), line, key;
	size_t next = 0;
	int err = 0;

	while (!err && scan_line(&s, &line)) {
		if (!scan_until(&line, ':', &key))
			continue;
		/* The kernel writes them in the order of the table: start after the last one. */
		for (size_t i = 0; i < ARRAY_SIZE(status_keys); i++) {
			size_t at = (next + i) % ARRAY_SIZE(status_keys);
			if (!scan_is(&key, status_keys[at].name))
				continue;
			err = status_value(&line, &status_keys[at], &st);
			next = at + 1;
			break;
		}
	}
	if (!err && (!st.state || !st.pid || !st.threads))
		err = -EBADMSG;
	if (err)
		proc_status_free(&st);
	else
		*ret = st;
	return err;
}

void proc_status_free(struct proc_status *st)
{
	array_free(&st->groups);
}

int proc_status_read(const struct proc *p, struct proc_status *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	int err = proc_record(p, "status", &b);

	return err ? err : proc_status_parse(b.data, b.len, ret);
}

int proc_thread_status_read(const struct proc *p, pid_t tid, struct proc_status *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	char path[32];
	snprintf(path, sizeof(path), "task/%d/status", tid);
	int err = proc_record(p, path, &b);

	return err ? err : proc_status_parse(b.data, b.len, ret);
}
