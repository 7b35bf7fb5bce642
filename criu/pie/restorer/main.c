/* SPDX-License-Identifier: GPL-2.0-only */
/* In pie/: no libc, no globals, direct system calls only. */
/* The end of a restore inside the task: replaces the tool's memory by the task's own. */
#include <compel/pie.h>
#include "pie/restorer/core.h"
#include "pie/restorer/vdso.h"

/* Written out call by call: a table of functions would need relocations. */
static int lay_out(struct wire_task *task)
{
	int err = layout_unmap(task);

	err = err ? err : placed_map(task);
	err = err ? err : vdso_move(task);
	err = err ? err : restore_policy((void *)task->threads);
	err = err ? err : layout_map(task);
	err = err ? err : pages_load(task);
	err = err ? err : aio_number(task);
	err = err ? err : vdso_patch(task);
	err = err ? err : layout_finish(task);
	err = err ? err : layout_marks(task);
	err = err ? err : lazy_register(task);
	err = err ? err : layout_seal(task);
	err = err ? err : arch_restore_memory(task);
	err = err ? err : layout_lock_future(task);
	return err;
}

/* Meetings: steps that all tasks of one memory must have done before any of them continues. */
enum meeting { LEFT_TOOL = 1, MEMORY_STANDS, HANDLERS_SET, RIGHTS_SET };

static int make_memory(struct wire_task *task, unsigned int command)
{
	int err = group_meet(task, LEFT_TOOL);

	if (!err && command == RESTORER_RUN)
		err = lay_out(task);
	return err ? err : group_meet(task, MEMORY_STANDS);
}

static int set_up(struct wire_task *task)
{
	int err = restorer_task_alone(task);

	err = err ? err : group_meet(task, HANDLERS_SET);
	err = err ? err : threads_start(task);
	err = err ? err : restorer_task_shared(task);
	err = err ? err : threads_set_up(task);
	err = err ? err : restorer_thread((void *)task->threads);
	/* A change of credentials makes the memory undumpable. */
	err = err ? err : group_meet(task, RIGHTS_SET);
	err = err ? err : restorer_task_late(task);
	return err;
}

/* The tool jumps here; @command is an enum restorer_command. */
unsigned long blob_entry(unsigned int command, void *args);
unsigned long blob_entry(unsigned int command, void *args)
{
	struct wire_task *task = args;
	int err;

	if (command == RESTORER_THREAD)
		return thread_start(args);
	thread_name_entry((void *)task->threads);
	err = make_memory(task, command);
	err = err ? err : set_up(task);
	if (err) {
		task_failed(task, err);
		sys_exit_group(1);
	}
	task_ready(task);
	if (((struct wire_thread *)task->threads)->ends)
		thread_end((void *)task->threads);
	thread_wait(task);
	thread_go_on((void *)task->threads);
	return 0;
}
