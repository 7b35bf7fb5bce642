/* SPDX-License-Identifier: GPL-2.0-only */
/* IPC namespaces: one file for each type of object. All functions but load run inside the namespace. */
#pragma once
#include <stdint.h>
#include <sys/ipc.h>
#include "ipc-desc.pb-c.h"
#include "ipc-var.pb-c.h"
#include "run/dump.h"
#include "run/ipc_object.h"
#include "run/restore.h"

/* Restore: ns->data */
struct ipc_ns_state {
	IpcVarEntry *vars;
	struct ipc_sem_sets *sems; /* sem.c */
	struct restore_records segments;
};

/* sysctl.c. The limits of a new namespace must not prevent the creation of its objects: they are raised first. */
int ipc_sysctl_save(struct dump *dump, IpcVarEntry *vars);
int ipc_sysctl_load(const struct ns *ns, const IpcVarEntry *vars);
int ipc_sysctl_raise(const IpcVarEntry *vars);
int ipc_sysctl_fill(const IpcVarEntry *vars);
/* Segments that are not attached disappear: when all are. */
int ipc_sysctl_set_rmid_forced(void);

/* image.c: *img, NULL before the first object, is there from then on; and is complete. Errors are logged. */
int ipc_image_need(struct dump *dump, enum image_type type, const struct ns *ns, struct image_writer **img);
int ipc_image_complete(struct dump *dump, struct image_writer **img);

/* msg.c: System V message queues */
int ipc_msg_save(struct dump *dump, const struct ns *ns);
int ipc_msg_load(struct restore *r, const struct ns *ns);
int ipc_msg_fill(struct restore *r, const struct ns *ns);

/* sem.c: System V semaphores; undo values: kinds/task/sem_undo */
int ipc_sem_save(struct dump *dump, const struct ns *ns);
int ipc_sem_load(struct restore *r, const struct ns *ns, struct ipc_ns_state *state);
int ipc_sem_fill(struct restore *r, const struct ipc_ns_state *state);

/* shm.c: System V shared memory */
int ipc_shm_save(struct dump *dump, const struct ns *ns, bool rmid_forced);
int ipc_shm_load(struct restore *r, const struct ns *ns, struct ipc_ns_state *state);
int ipc_shm_fill(struct restore *r, const struct ipc_ns_state *state);

/* mqueue.c: POSIX message queues; descriptors of them: kinds/fd/mqueue.c */
int ipc_mqueue_save(struct dump *dump, const struct ns *ns, IpcVarEntry *vars);
int ipc_mqueue_load(const struct restore *r, const struct ns *ns, const IpcVarEntry *vars);
int ipc_mqueue_fill(const struct restore *r, const struct ns *ns, const IpcVarEntry *vars);
