// SPDX-License-Identifier: GPL-2.0-only
/* /proc/PID/stat, /proc/PID/task/TID/stat */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "kernel/proc_pid.h"
#include "kernel/scan.h"

#define STAT_FIRST 3 /* number of the first field after the name, in proc_pid_stat(5) */
#define STAT_LAST 52

/* The numbers after the name and the state: @v[n] is field n of the manual page; @v has space for STAT_LAST + 1. */
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
	/* A name may contain anything, including ") ": it ends at the last one. */
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
