/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rights of a client of the service. One that has all of ours (root for root) is served with ours. For any other one, files
 * are opened, programs executed, processes traced and created with its own ids and without capabilities, so that the kernel
 * itself denies what the client could not do; CAP_CHECKPOINT_RESTORE alone is added: pids can be chosen, and the mapped files of
 * a process that it may trace can be opened.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct client;

struct client_rights {
	bool ours; /* it has our own */
	uid_t uid;
	gid_t gid, *groups;
	size_t nr_groups;
};

/*
 * 0, or a negative errno: *ret_why says why this client cannot be served. The ids are those of the moment when it connected;
 * what it executes later does not count.
 */
int client_rights_read(const struct client *client, struct client_rights *ret, const char **ret_why);

/* For the time being: its effective ids, no effective capability; and back. 0 or a negative errno. */
int client_rights_assume(const struct client_rights *rights);
int client_rights_resume(const struct client_rights *rights);
/* For good. @to_dump: with CAP_CHECKPOINT_RESTORE; otherwise without any: a program will be executed. */
int client_rights_adopt(const struct client_rights *rights, bool to_dump);
/* No resource of ours has a higher hard limit than the client's: our children inherit them. */
int client_rights_limit(const struct client *client);
