// SPDX-License-Identifier: GPL-2.0-only
/* Texts of /proc/PID: stat, status, limits, timers, cgroup, id maps, time offsets. Unknown lines are passed over. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "kernel/scan.h"

#define STAT_FIRST 3 /* the number of the first field behind the name, in proc_pid_stat(5) */
#define STAT_LAST 52

/* The numbers behind the name and the state: @v[n] is field n of the manual page; @v has room for STAT_LAST + 1. */
static int stat_numbers(struct scan *s, int64_t *v, int *ret_last)
{
	int nr = STAT_FIRST + 1;

	for (; nr <= STAT_LAST; nr++) {
		uint64_t u;
		scan_blank(s);
		if (s->p == s->end || *s->p == '\n')
			break;
		if (scan_u64(s, &u))
			v[nr] = (int64_t)u;
		else if (!scan_s64(s, &v[nr]))
			return -EBADMSG;
	}
	*ret_last = nr - 1;
	return 0;
}

static void stat_fill(const int64_t *v, struct proc_stat *st)
{
	st->ppid = v[4];
	st->pgid = v[5];
	st->sid = v[6];
	st->tty_nr = v[7];
	st->tpgid = v[8];
	st->flags = v[9];
	st->utime = v[14];
	st->stime = v[15];
	st->priority = v[18];
	st->nice = v[19];
	st->threads = v[20];
	st->start_time = v[22];
	st->vsize = v[23];
	st->rss = v[24];
	st->start_code = v[26];
	st->end_code = v[27];
	st->start_stack = v[28];
	st->exit_signal = v[38];
	st->processor = v[39];
	st->rt_priority = v[40];
	st->policy = v[41];
	st->start_data = v[45];
	st->end_data = v[46];
	st->start_brk = v[47];
	st->arg_start = v[48];
	st->arg_end = v[49];
	st->env_start = v[50];
	st->env_end = v[51];
	st->exit_code = v[52];
}

int proc_stat_parse(const char *text, size_t len, struct proc_stat *ret)
{
	struct scan s = scan_text(text, len), name;
	struct proc_stat st = { 0 };
	int64_t v[STAT_LAST + 1] = { 0 };
	int last, pid;

	if (!scan_int(&s, &pid) || !scan_lit(&s, " ("))
		return -EBADMSG;
	/* A name may hold anything, ") " too: it ends at the last one. */
	const char *close_at = scan_left(&s) ? memrchr(s.p, ')', scan_left(&s)) : NULL;
	if (!close_at || (size_t)(close_at - s.p) >= sizeof(st.comm) || s.end - close_at < 4)
		return -EBADMSG;
	name = (struct scan){ s.p, close_at };
	memcpy(st.comm, name.p, scan_left(&name));
	if (close_at[1] != ' ')
		return -EBADMSG;
	st.state = close_at[2];
	s.p = close_at + 3;
	int err = stat_numbers(&s, v, &last);
	if (err)
		return err;
	if (last < 41)
		return -EBADMSG;
	st.pid = pid;
	stat_fill(v, &st);
	*ret = st;
	return 0;
}

int proc_stat_read(const struct proc *p, struct proc_stat *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	int err = proc_record(p, "stat", &b);

	return err ? err : proc_stat_parse(b.data, b.len, ret);
}

int proc_thread_stat_read(const struct proc *p, pid_t tid, struct proc_stat *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	char path[32];
	snprintf(path, sizeof(path), "task/%d/stat", tid);
	int err = proc_record(p, path, &b);

	return err ? err : proc_stat_parse(b.data, b.len, ret);
}

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
	/* The four lines have as many numbers each. */
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
		/* The kernel writes them in the order of the table: start where the last one was. */
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

static const struct {
	const char *name;
	int resource;
} limit_names[] = {
	{ "Max cpu time ", RLIMIT_CPU },
	{ "Max file size ", RLIMIT_FSIZE },
	{ "Max data size ", RLIMIT_DATA },
	{ "Max stack size ", RLIMIT_STACK },
	{ "Max core file size ", RLIMIT_CORE },
	{ "Max resident set ", RLIMIT_RSS },
	{ "Max processes ", RLIMIT_NPROC },
	{ "Max open files ", RLIMIT_NOFILE },
	{ "Max locked memory ", RLIMIT_MEMLOCK },
	{ "Max address space ", RLIMIT_AS },
	{ "Max file locks ", RLIMIT_LOCKS },
	{ "Max pending signals ", RLIMIT_SIGPENDING },
	{ "Max msgqueue size ", RLIMIT_MSGQUEUE },
	{ "Max nice priority ", RLIMIT_NICE },
	{ "Max realtime priority ", RLIMIT_RTPRIO },
	{ "Max realtime timeout ", RLIMIT_RTTIME },
};

static bool scan_limit(struct scan *s, uint64_t *ret_v)
{
	scan_blank(s);
	if (scan_lit(s, "unlimited")) {
		*ret_v = ~0ull;
		return true;
	}
	return scan_u64(s, ret_v);
}

int proc_limits_parse(const char *text, size_t len, struct proc_limit ret[PROC_LIMITS])
{
	struct scan s = scan_text(text, len), line;
	struct proc_limit found[PROC_LIMITS];
	unsigned int n = 0;

	memcpy(found, ret, sizeof(found));
	while (scan_line(&s, &line)) {
		for (size_t i = 0; i < ARRAY_SIZE(limit_names); i++) {
			struct proc_limit l;
			if (!scan_lit(&line, limit_names[i].name))
				continue;
			if (!scan_limit(&line, &l.cur) || !scan_limit(&line, &l.max))
				return -EBADMSG;
			found[limit_names[i].resource] = l;
			n++;
			break;
		}
	}
	if (!n)
		return -EBADMSG;
	memcpy(ret, found, sizeof(found));
	return 0;
}

int proc_limits_read(const struct proc *p, struct proc_limit ret[PROC_LIMITS])
{
	_cleanup_buf_ struct buf b = { 0 };
	int err = proc_record(p, "limits", &b);

	return err ? err : proc_limits_parse(b.data, b.len, ret);
}

static bool scan_notify(struct scan *s, struct proc_timer *t)
{
	scan_blank(s);
	if (scan_lit(s, "signal/"))
		t->notify = SIGEV_SIGNAL;
	else if (scan_lit(s, "none/"))
		t->notify = SIGEV_NONE;
	else if (scan_lit(s, "thread/"))
		t->notify = SIGEV_THREAD;
	else
		return false;
	t->to_thread = scan_lit(s, "tid.");
	return (t->to_thread || scan_lit(s, "pid.")) && scan_int(s, &t->target);
}

/* %px of a null pointer may be "(null)" on old kernels. */
static bool scan_pointer(struct scan *s, uint64_t *ret_v)
{
	*ret_v = 0;
	return scan_lit(s, "(null)") || scan_lit(s, "          (null)") ||
	       ((void)scan_lit(s, "0x"), scan_hex(s, ret_v));
}

int proc_timers_parse(const char *text, size_t len, struct proc_timers *to)
{
	struct scan s = scan_text(text, len), line;
	struct proc_timer *t = NULL;

	while (scan_line(&s, &line)) {
		bool ok = true;
		if (scan_lit(&line, "ID:")) {
			t = array_push(to);
			if (!t)
				return -ENOMEM;
			scan_blank(&line);
			ok = scan_int(&line, &t->id);
		} else if (!t) {
			return -EBADMSG;
		} else if (scan_lit(&line, "signal:")) {
			scan_blank(&line);
			ok = scan_int(&line, &t->signal) && scan_char(&line, '/') && scan_pointer(&line, &t->sigval);
		} else if (scan_lit(&line, "notify:")) {
			ok = scan_notify(&line, t);
		} else if (scan_lit(&line, "ClockID:")) {
			scan_blank(&line);
			ok = scan_int(&line, &t->clock);
		}
		if (!ok)
			return -EBADMSG;
	}
	return 0;
}

static int cmp_timer(const void *a, const void *b)
{
	const struct proc_timer *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

int proc_timers_read(const struct proc *p, struct proc_timers *to)
{
	_cleanup_buf_ struct buf b = { 0 };
	size_t from = to->n;
	int err = proc_text(p, "timers", &b);

	if (!err)
		err = proc_timers_parse(b.data, b.len, to);
	/* The kernel lists the newest first, or in the order of its table: it depends on its age. */
	if (!err && to->n > from)
		qsort(to->v + from, to->n - from, sizeof(*to->v), cmp_timer);
	return err;
}

int proc_id_map_parse(const char *text, size_t len, struct proc_id_map *to)
{
	struct scan s = scan_text(text, len), line;

	while (scan_line(&s, &line)) {
		struct proc_id_range r;
		scan_blank(&line);
		if (!scan_u32(&line, &r.inside) || !scan_blank(&line) || !scan_u32(&line, &r.outside) ||
		    !scan_blank(&line) || !scan_u32(&line, &r.count) || !scan_at_end(&line))
			return -EBADMSG;
		if (array_add(to, r))
			return -ENOMEM;
	}
	return 0;
}

int proc_id_map_read(const struct proc *p, const char *file, struct proc_id_map *to)
{
	_cleanup_buf_ struct buf b = { 0 };
	int err = proc_text(p, file, &b);

	return err ? err : proc_id_map_parse(b.data, b.len, to);
}

int proc_timens_parse(const char *text, size_t len, struct proc_timens *ret)
{
	struct scan s = scan_text(text, len), line;
	struct proc_timens t = { 0 };
	int found = 0;

	while (scan_line(&s, &line)) {
		int64_t *sec, *nsec;
		if (scan_lit(&line, "monotonic "))
			sec = &t.mono_sec, nsec = &t.mono_nsec;
		else if (scan_lit(&line, "boottime "))
			sec = &t.boot_sec, nsec = &t.boot_nsec;
		else
			continue;
		if (!scan_blank(&line) || !scan_s64(&line, sec) || !scan_blank(&line) || !scan_s64(&line, nsec))
			return -EBADMSG;
		found++;
	}
	if (found != 2)
		return -EBADMSG;
	*ret = t;
	return 0;
}

int proc_timens_read(const struct proc *p, struct proc_timens *ret)
{
	_cleanup_buf_ struct buf b = { 0 };
	int err = proc_record(p, "timens_offsets", &b);

	return err ? err : proc_timens_parse(b.data, b.len, ret);
}
