/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets belong to the network namespace that they were created in, whatever namespace their task is in now. What is
 * done for a socket beyond its own descriptor (other sockets, sock_diag, sysctls) has to be done there: pipelines enter
 * it for kinds with fd_kind.in_network, others use the functions below.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

struct dump;
struct fd_probe;
struct file;
struct ns;
struct restore;

/* ---- dump ---- */

/*
 * The namespace of a socket; it may be one that no task is in (ns->member is NULL). In a tree whose tasks are all in the
 * tool's own this costs one system call.
 */
int dump_network_of(struct dump *dump, const struct fd_probe *probe, struct ns **ret_ns);
/* True: it cannot be saved, as no task is in @ns, and a blocker that names @probe has been added. */
bool dump_network_refused(struct dump *dump, const struct fd_probe *probe, const struct ns *ns);
/* From now on the tool acts in @ns; NULL: its own, as at the beginning. Costs nothing if it does already. */
int dump_enter_network(struct dump *dump, const struct ns *ns);
/* Where it acts; NULL: its own. */
const struct ns *dump_network(const struct dump *dump);
/* For images: the id of that. */
uint32_t dump_network_id(const struct dump *dump);

/*
 * Notifies scripts and the client that the network of the tree is locked, once; if the tree keeps running, that it is not any
 * more. They run in the namespaces of the tool. 0 or a logged error.
 */
int network_announce_lock(struct dump *dump);
void network_announce_unlock(struct dump *dump, bool keeps_running);

/* ---- restore ---- */

/* In a kind's load: the socket @file belongs to the namespace with this id; 0: that of the root task. */
int restore_set_network(struct restore *r, struct file *file, uint32_t id);
/*
 * The calling process acts in @ns until network_leave(). @visit: where it came from. If it does
 * already, both do nothing.
 */
struct network_visit {
	int back; /* -1: it was there already */
	const struct ns *was;
};
int network_enter(struct restore *r, const struct ns *ns, struct network_visit *ret_visit);
int network_leave(struct restore *r, const struct network_visit *visit);
/*
 * In the tool: calls @fn in @ns. If the user namespace of the tool does not own the network namespace that it is in, it
 * could not return to that: then @fn is called in another process, which shares memory and descriptors (kernel/ns_run.h).
 * The result of @fn, or a logged error.
 */
int network_run(struct restore *r, const struct ns *ns, int (*fn)(void *arg), void *arg);
