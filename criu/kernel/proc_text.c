// SPDX-License-Identifier: GPL-2.0-only
/* Other texts of /proc/PID: limits, timers, id maps, time offsets. Unknown lines are skipped. */
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>

#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "kernel/scan.h"

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
	/* The kernel lists the newest first, or in the order of its table, depending on its version. */
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
