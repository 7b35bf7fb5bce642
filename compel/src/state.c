// SPDX-License-Identifier: LGPL-2.1-only
/* Read and set everything that the CPU holds for a stopped thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

void compel_thread_state_clear(struct compel_thread_state *state)
{
	free(state->xsave);
	*state = (struct compel_thread_state){ 0 };
}

/* From registers and mask to what the thread is to go on with. */
static int settle(pid_t tid, struct compel_thread_state *s, bool elsewhere)
{
	struct target_signals signals;
	uint64_t abort_ip;
	int err = target_rseq_abort(tid, arch_ip(&s->regs), &abort_ip);

	if (!err)
		err = target_signals(tid, &signals);
	if (err)
		return err;
	if (abort_ip)
		arch_set_ip(&s->regs, abort_ip);
	s->rseq_aborted = abort_ip != 0;
	arch_finish_restart(tid, &s->regs, elsewhere, target_deliverable(&signals, s->sigmask) & signals.caught);
	return arch_read_xstate(tid, &s->xsave, &s->xsave_len);
}

static int get_state(pid_t tid, bool elsewhere, struct compel_thread_state *ret_state)
{
	struct compel_thread_state s = { 0 };
	int err = arch_read_regs(tid, &s.regs);

	/* Where a dead tracer's cure still runs these are not the thread's own registers. */
	if (!err)
		err = cave_occupied(tid, arch_ip(&s.regs));
	if (!err)
		err = target_sigmask(tid, &s.sigmask);
	if (!err)
		err = settle(tid, &s, elsewhere);
	if (err)
		return err;
	*ret_state = s;
	return 0;
}

int compel_get_state(pid_t tid, struct compel_thread_state *ret_state)
{
	return get_state(tid, false, ret_state);
}

int compel_state_for_image(pid_t tid, struct compel_thread_state *ret_state)
{
	return get_state(tid, true, ret_state);
}

int compel_ctl_state(struct compel_ctl *ctl, struct compel_thread_state *ret_state)
{
	struct compel_thread_state s = { .regs = ctl->main.own, .sigmask = ctl->main.mask };
	int err = settle(ctl->main.tid, &s, true);

	if (err)
		return compel_because(ctl, err, "cannot read the state of thread %d", ctl->main.tid);
	s.rseq_aborted |= ctl->main.aborted;
	*ret_state = s;
	return 0;
}

int compel_set_state(pid_t tid, const struct compel_thread_state *state)
{
	int err = 0;

	if (state->xsave)
		err = arch_write_xstate(tid, state->xsave, state->xsave_len);
	if (!err)
		err = target_set_sigmask(tid, state->sigmask);
	return err ? err : arch_write_regs(tid, &state->regs);
}
