// SPDX-License-Identifier: LGPL-2.1-only
/* Reads and sets the complete CPU state of a stopped thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

void compel_thread_state_clear(struct compel_thread_state *state)
{
	free(state->xsave);
	*state = (struct compel_thread_state){ 0 };
}

int compel_inspect(pid_t tid, const struct compel_status *status, struct compel_snapshot *ret_snapshot)
{
	struct compel_snapshot snapshot = { 0 };
	int err = arch_read_regs(tid, &snapshot.regs);

	/* While a dead tracer's cure runs these are not the thread's own registers. */
	if (!err)
		err = cave_occupied(tid, arch_ip(&snapshot.regs));
	if (!err)
		err = target_sigmask(tid, &snapshot.sigmask);
	if (!err && status)
		snapshot.status = *status;
	else if (!err)
		err = target_status(tid, &snapshot.status);
	if (!err)
		err = target_rseq(tid, &snapshot);
	if (!err)
		*ret_snapshot = snapshot;
	return err;
}

/* Converts the state at the stop to the state for continuing. */
static int settle(pid_t tid, const struct compel_snapshot *snapshot, bool elsewhere,
		  struct compel_thread_state *ret_state)
{
	struct compel_thread_state s = { .regs = snapshot->regs, .sigmask = snapshot->sigmask };
	struct compel_regs stopped;
	int err;

	if (snapshot->rseq_abort)
		arch_set_ip(&s.regs, snapshot->rseq_abort);
	s.rseq_aborted = snapshot->rseq_abort != 0;
	arch_set_continued(&s.regs, snapshot->continues);
	stopped = s.regs;
	arch_finish_restart(tid, &s.regs, elsewhere,
			    target_deliverable(&snapshot->status, s.sigmask) & snapshot->status.caught);
	s.restart = arch_restart_of(&stopped, &s.regs);
	err = arch_read_xstate(tid, &s.xsave, &s.xsave_len);
	if (!err)
		*ret_state = s;
	return err;
}

int compel_get_state(pid_t tid, struct compel_thread_state *ret_state)
{
	struct compel_snapshot snapshot;
	int err = compel_inspect(tid, NULL, &snapshot);

	return err ? err : settle(tid, &snapshot, false, ret_state);
}

int compel_snapshot_for_image(pid_t tid, const struct compel_snapshot *snapshot, struct compel_thread_state *ret_state)
{
	return settle(tid, snapshot, true, ret_state);
}

bool compel_where(const struct compel_snapshot *snapshot, uint64_t *ret_ip)
{
	*ret_ip = arch_ip(&snapshot->regs);
	return arch_regs_native(&snapshot->regs);
}

bool compel_is_continued(const struct compel_snapshot *snapshot, unsigned long args[6])
{
	arch_call_args(&snapshot->regs, args);
	return arch_is_continued(&snapshot->regs);
}

bool compel_restarts_full_timeout(const struct compel_snapshot *snapshot, const struct compel_thread_state *for_image)
{
	return arch_is_continued(&snapshot->regs) && arch_limit_type(&for_image->regs) != LIMIT_NONE;
}

int compel_set_restart(struct compel_thread_state *state, long call, int code)
{
	const struct compel_restart restart = { .call = call, .code = code };

	if (!arch_restart_fits(&state->regs, &restart))
		return -EINVAL;
	state->restart = restart;
	return 0;
}

void compel_guess_restart(struct compel_thread_state *state, long call)
{
	if (arch_call_before(&state->regs) != call ||
	    compel_set_restart(state, call, arch_usual_restart(&state->regs, call)))
		return;
	state->restart.unsure = true;
}

void state_final_regs(pid_t tid, const struct compel_thread_state *state, struct compel_regs *ret_regs)
{
	*ret_regs = state->regs;
	if (state->restart.code && (!state->restart.unsure || arch_at_call(tid, &state->regs)))
		arch_leave_restart_to_kernel(ret_regs, &state->restart);
}

int compel_set_state(pid_t tid, const struct compel_thread_state *state)
{
	struct compel_regs regs;
	int err = 0;

	if (state->xsave)
		err = arch_write_xstate(tid, state->xsave, state->xsave_len);
	if (!err)
		err = target_set_sigmask(tid, state->sigmask);
	state_final_regs(tid, state, &regs);
	return err ? err : arch_write_regs(tid, &regs);
}

int compel_send_to(pid_t tid, uint64_t function, uint64_t arg, const struct compel_regs *bases)
{
	struct compel_regs regs;
	int err = arch_read_regs(tid, &regs);

	if (err)
		return err;
	arch_enter_function(&regs, function, arg, bases);
	return arch_write_regs(tid, &regs);
}
