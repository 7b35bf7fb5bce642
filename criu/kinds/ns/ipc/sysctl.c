// SPDX-License-Identifier: GPL-2.0-only
/* Limits and other sysctls of an IPC namespace: those of the process that opens their files. proc(5), mq_overview(7) */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/bits.h"
#include "internal.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/proc_root.h"

enum width { U32, U64, OPTIONAL_U32, NEXT_ID };

struct sysctl {
	const char *path; /* below /proc/sys */
	enum width width;
	size_t value, has; /* offsets in IpcVarEntry */
	const char *raised; /* while objects are created; NULL: it does not limit that */
};

#define RMID_FORCED "kernel/shm_rmid_forced"

#define FIELD(f) offsetof(IpcVarEntry, f)
#define NEED(path, width, f, raised)             \
	{                                        \
		path, width, FIELD(f), 0, raised \
	}
#define OPTION(path, width, f)                              \
	{                                                   \
		path, width, FIELD(f), FIELD(has_##f), NULL \
	}

static const struct sysctl sysctls[] = {
	NEED("kernel/msgmax", U32, msg_ctlmax, "2147483647"),
	NEED("kernel/msgmnb", U32, msg_ctlmnb, "2147483647"),
	NEED("kernel/msgmni", U32, msg_ctlmni, "32768"),
	NEED("kernel/auto_msgmni", U32, auto_msgmni, NULL),
	NEED("kernel/shmmax", U64, shm_ctlmax, NULL),
	NEED("kernel/shmall", U64, shm_ctlall, NULL),
	NEED("kernel/shmmni", U32, shm_ctlmni, "32768"),
	NEED(RMID_FORCED, U32, shm_rmid_forced, NULL),
	NEED("fs/mqueue/queues_max", U32, mq_queues_max, "65536"),
	NEED("fs/mqueue/msg_max", U32, mq_msg_max, "65536"),
	NEED("fs/mqueue/msgsize_max", U32, mq_msgsize_max, "16777216"),
	OPTION("fs/mqueue/msg_default", OPTIONAL_U32, mq_msg_default),
	OPTION("fs/mqueue/msgsize_default", OPTIONAL_U32, mq_msgsize_default),
	/* Last: the creation of an object resets them to -1. */
	OPTION("kernel/msg_next_id", NEXT_ID, msg_next_id),
	OPTION("kernel/sem_next_id", NEXT_ID, sem_next_id),
	OPTION("kernel/shm_next_id", NEXT_ID, shm_next_id),
};

/* SEMMSL, SEMMNS, SEMOPM, SEMMNI */
#define SEM_VALUES 4

/* ---- dump ---- */

/* -ENOENT: this kernel lacks it. */
static int read_sysctl(const char *path, struct buf *ret)
{
	char full[64];

	snprintf(full, sizeof(full), "sys/%s", path);
	ret->len = 0;
	return read_file(proc_root(), full, ret);
}

static int save_one(const struct sysctl *s, const char *text, IpcVarEntry *vars)
{
	char *at = (char *)vars, *end;
	uint64_t value = strtoull(text, &end, 10);

	if (end == text)
		return fail(-EBADMSG, "sysctl %s: %s", s->path, text);
	if (s->width == NEXT_ID && (int32_t)value < 0)
		return 0;
	if (s->has)
		*(protobuf_c_boolean *)(at + s->has) = true;
	if (s->width == U64)
		*(uint64_t *)(at + s->value) = value;
	else
		*(uint32_t *)(at + s->value) = (uint32_t)value;
	return 0;
}

static int save_sem(struct dump *dump, const char *text, IpcVarEntry *vars)
{
	uint32_t *v = dump_alloc(dump, SEM_VALUES * sizeof(*v));

	if (!v)
		return fail(-ENOMEM, "sysctls");
	if (sscanf(text, "%" SCNu32 " %" SCNu32 " %" SCNu32 " %" SCNu32, &v[0], &v[1], &v[2], &v[3]) != SEM_VALUES)
		return fail(-EBADMSG, "kernel.sem: %s", text);
	vars->sem_ctls = v;
	vars->n_sem_ctls = SEM_VALUES;
	return 0;
}

int ipc_sysctl_save(struct dump *dump, IpcVarEntry *vars)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = read_sysctl("kernel/sem", &text);

	if (err < 0)
		return fail(err, "read kernel.sem");
	err = save_sem(dump, text.data, vars);
	for (size_t i = 0; !err && i < ARRAY_SIZE(sysctls); i++) {
		err = read_sysctl(sysctls[i].path, &text);
		if (err == -ENOENT) /* a kernel without POSIX queues, or without CONFIG_CHECKPOINT_RESTORE */
			err = 0;
		else if (err < 0)
			return fail(err, "read /proc/sys/%s", sysctls[i].path);
		else
			err = save_one(&sysctls[i], text.data, vars);
	}
	return err;
}

/* ---- restore ---- */

int ipc_sysctl_load(const struct ns *ns, const IpcVarEntry *vars)
{
	if (vars->n_sem_ctls != SEM_VALUES)
		return fail(-EBADMSG, "ipcns-var-%u.img: %zu values of kernel.sem; expected %d", ns->id,
			    vars->n_sem_ctls, SEM_VALUES);
	return 0;
}

static int write_sysctl(const char *path, const char *text)
{
	char full[64];
	int err;

	snprintf(full, sizeof(full), "sys/%s", path);
	err = write_text(proc_root(), full, text);
	return err < 0 ? fail(err, "write %s to /proc/%s", text, full) : 0;
}

/* Values of a kernel that lacks the sysctl are 0. */
static bool is_missing(const struct sysctl *s, const IpcVarEntry *vars)
{
	return !strncmp(s->path, "fs/mqueue/", 10) && !vars->mq_msg_max;
}

int ipc_sysctl_raise(const IpcVarEntry *vars)
{
	int err = write_sysctl("kernel/sem", "2147483647 2147483647 500 32768");

	for (size_t i = 0; !err && i < ARRAY_SIZE(sysctls); i++)
		if (sysctls[i].raised && !is_missing(&sysctls[i], vars))
			err = write_sysctl(sysctls[i].path, sysctls[i].raised);
	return err;
}

static int fill_one(const struct sysctl *s, const IpcVarEntry *vars)
{
	const char *at = (const char *)vars;
	uint64_t value;
	char text[32];

	if (is_missing(s, vars) || (s->has && !*(const protobuf_c_boolean *)(at + s->has)))
		return 0;
	value = s->width == U64 ? *(const uint64_t *)(at + s->value) : *(const uint32_t *)(at + s->value);
	/* It is 0 in a new namespace; a write of 1 has the kernel print a warning. */
	if (s->value == FIELD(auto_msgmni) && !value)
		return 0;
	/* Later: ipc_sysctl_set_rmid_forced() */
	if (s->value == FIELD(shm_rmid_forced))
		return 0;
	snprintf(text, sizeof(text), "%" PRIu64, value);
	return write_sysctl(s->path, text);
}

int ipc_sysctl_fill(const IpcVarEntry *vars)
{
	const uint32_t *v = vars->sem_ctls;
	char text[64];
	int err;

	snprintf(text, sizeof(text), "%u %u %u %u", v[0], v[1], v[2], v[3]);
	err = write_sysctl("kernel/sem", text);
	for (size_t i = 0; !err && i < ARRAY_SIZE(sysctls); i++)
		err = fill_one(&sysctls[i], vars);
	return err;
}

int ipc_sysctl_set_rmid_forced(void)
{
	return write_sysctl(RMID_FORCED, "1");
}
