/* SPDX-License-Identifier: GPL-2.0-only */
/* What System V segments, message queues and semaphore sets have in common. sysvipc(7) */
#pragma once
#include <stdint.h>
#include <sys/ipc.h>
#include "ipc-desc.pb-c.h"
#include "run/dump.h"
#include "run/rights.h"
#include "util/hash.h"

void ipc_desc_fill(struct dump *dump, const struct ipc_perm *perm, int id, IpcDescEntry *ret_desc);
/* @image, @ns: the record is in @image-@ns.img. @ids: the ids of this type in this namespace so far. */
int ipc_desc_check(const char *image, uint32_t ns, const IpcDescEntry *desc, struct hash *ids);

struct ipc_type {
	const char *next_id; /* the sysctl from which the kernel starts its search for a free id */
	int (*create)(const void *arg); /* returns the id or a negative errno */
	int (*remove)(int id);
};

/*
 * Creates an object with the key, creator and id of @desc in the IPC namespace of the calling process: with the effective
 * user and group of its creator. Errors are logged in the LOG_SCOPE of the caller, which names the object.
 */
int ipc_create(const struct rights *rights, const IpcDescEntry *desc, const struct ipc_type *type, const void *arg);
