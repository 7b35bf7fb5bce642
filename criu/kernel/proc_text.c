// SPDX-License-Identifier: GPL-2.0-only
/* Other texts of /proc/PID: timers, time offsets. Unknown lines are skipped. */
#include <errno.h>
#include <signal.h>

#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "kernel/scan.h"

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
