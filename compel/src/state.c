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

int compel_look(pid_t tid, const struct compel_told *told, struct compel_seen *ret_seen)
{
	struct compel_seen seen = { 0 };
	int err = arch_read_regs(tid, &seen.regs);

	/* Where a dead tracer's cure still runs these are not the thread's own registers. */
	if (!err)
		err = cave_occupied(tid, arch_ip(&seen.regs));
	if (!err)
		err = target_sigmask(tid, &seen.sigmask);
	if (!err && told)
		seen.told = *told;
	else if (!err)
		err = target_told(tid, &seen.told);
	if (!err)
		err = target_rseq(tid, &seen);
	if (!err)
		*ret_seen = seen;
	return err;
}

/* From what it was stopped with to what the thread is to go on with. */
static int settle(pid_t tid, const struct compel_seen *seen, bool elsewhere, struct compel_thread_state *ret_state)
{
	struct compel_thread_state s = { .regs = seen->regs, .sigmask = seen->sigmask };
	int err;

	if (seen->rseq_abort)
		arch_set_ip(&s.regs, seen->rseq_abort);
	s.rseq_aborted = seen->rseq_abort != 0;
	arch_name_continued(&s.regs, seen->continues);
	arch_finish_restart(tid, &s.regs, elsewhere, target_deliverable(&seen->told, s.sigmask) & seen->told.caught);
	err = arch_read_xstate(tid, &s.xsave, &s.xsave_len);
	if (!err)
		*ret_state = s;
	return err;
}

int compel_get_state(pid_t tid, struct compel_thread_state *ret_state)
{
	struct compel_seen seen;
	int err = compel_look(tid, NULL, &seen);

	return err ? err : settle(tid, &seen, false, ret_state);
}

int compel_seen_for_image(pid_t tid, const struct compel_seen *seen, struct compel_thread_state *ret_state)
{
	return settle(tid, seen, true, ret_state);
}

bool compel_is_continued(const struct compel_seen *seen, unsigned long args[6])
{
	arch_call_args(&seen->regs, args);
	return arch_is_continued(&seen->regs);
}

bool compel_waits_anew(const struct compel_seen *seen, const struct compel_thread_state *for_image)
{
	return arch_is_continued(&seen->regs) && arch_limit_kind(&for_image->regs) != LIMIT_NONE;
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

int compel_send_to(pid_t tid, uint64_t function, uint64_t arg, const struct compel_regs *bases)
{
	struct compel_regs regs;
	int err = arch_read_regs(tid, &regs);

	if (err)
		return err;
	arch_enter_function(&regs, function, arg, bases);
	return arch_write_regs(tid, &regs);
}
