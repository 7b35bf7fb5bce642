// SPDX-License-Identifier: GPL-2.0-only
/*
 * IPC namespaces: System V objects, POSIX message queues, and the sysctls that limit them. They are all saved, whether a
 * task of the tree uses them or not. ipc_namespaces(7), sysvipc(7)
 */
#include <errno.h>
#include "base/bits.h"
#include "internal.h"
#include "kinds/kinds.h"
#include "run/user_ns.h"
#include "util/log.h"

static int ipc_save(struct dump *dump, struct ns *ns)
{
	IpcVarEntry vars = IPC_VAR_ENTRY__INIT;
	int err = ipc_sysctl_save(dump, &vars);

	if (!err)
		err = ipc_mqueue_save(dump, ns, &vars);
	if (!err)
		err = ipc_shm_save(dump, ns, vars.shm_rmid_forced);
	if (!err)
		err = ipc_msg_save(dump, ns);
	if (!err)
		err = ipc_sem_save(dump, ns);
	if (err)
		return err;
	err = image_write_single(dump->dir, IMAGE_IPC_VAR, ns->id, &vars.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int ipc_load(struct restore *r, struct ns *ns)
{
	struct ipc_ns_state *state = restore_alloc(r, sizeof(*state));
	int err;

	if (!state)
		return fail(-ENOMEM, "IPC namespaces");
	ns->data = state;
	err = restore_read_record(r, IMAGE_IPC_VAR, ns->id, &ipc_var_entry__descriptor, &state->vars);
	if (!err)
		err = ipc_sysctl_load(ns, state->vars);
	if (!err)
		err = ipc_mqueue_load(r, ns, state->vars);
	if (!err)
		err = ipc_shm_load(r, ns, state);
	if (!err)
		err = ipc_msg_load(r, ns);
	return err ? err : ipc_sem_load(r, ns, state);
}

static int ipc_fill(struct restore *r, struct ns *ns)
{
	const struct ipc_ns_state *state = ns->data;
	int err = ipc_sysctl_raise(state->vars);

	if (!err)
		err = ipc_msg_fill(r, ns);
	if (!err)
		err = ipc_sem_fill(r, state);
	if (!err)
		err = ipc_mqueue_fill(r, ns, state->vars);
	if (!err)
		err = ipc_shm_fill(r, state);
	return err ? err : ipc_sysctl_fill(state->vars);
}

static int set_rmid_forced(void *arg)
{
	return ipc_sysctl_set_rmid_forced();
}

/* All tasks have attached their segments. */
static int ipc_ready(struct restore *r)
{
	const struct ns *ns;

	ns_for_each(ns, &r->plan.namespaces, NS_IPC) {
		const struct ipc_ns_state *state = ns->data;
		int err;

		if (!state || !state->vars->shm_rmid_forced)
			continue;
		err = restore_run_in_ns(ns, set_rmid_forced, NULL);
		if (err)
			return err;
	}
	return 0;
}

const struct run_kind ipc_ns_run = {
	.name = "IPC namespace",
	.namespaces = BIT(NS_IPC),
	.can_join = true,
	.save_namespace = ipc_save,
	.load_namespace = ipc_load,
	.fill_namespace = ipc_fill,
	.ready = ipc_ready,
};
