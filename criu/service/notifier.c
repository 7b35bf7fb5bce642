// SPDX-License-Identifier: GPL-2.0-only
#include "service/notifier.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "kernel/proc_pid.h"
#include "request/option_table.h"
#include "request/take.h"
#include "service/client.h"
#include "service/wire.h"
#include "util/log.h"
#include "util/proc_root.h"
#include "util/str.h"

/* A stage as clients know it. */
struct stage {
	const char *action;
	bool has_pid; /* the notification has the pid of the tree's root */
	bool must_not_fail; /* what the client replies has no effect */
};

static const struct stage stages[] = {
	{ "setup-namespaces", true, false }, { "post-restore", true, false }, { "network-unlock", false, true },
	{ "pre-resume", false, true },	     { "post-resume", false, true },
};

static const struct stage *find_stage(const char *action)
{
	for (size_t i = 0; i < ARRAY_SIZE(stages); i++)
		if (str_eq(stages[i].action, action))
			return &stages[i];
	return NULL;
}

static int send_notice(const struct notifier *notifier, const struct notice *notice, bool with_pid)
{
	CriuNotify notify = CRIU_NOTIFY__INIT;
	CriuResp resp = CRIU_RESP__INIT;

	notify.script = (char *)notice->action;
	notify.has_pid = with_pid;
	notify.pid = notice->pid;
	resp.type = CRIU_REQ_TYPE__NOTIFY;
	resp.success = true;
	resp.notify = &notify;
	return wire_send(notifier->sock, &resp, notice->fd ? *notice->fd : -1);
}

/* The run reads its options from the request. */
static int take_externals(const struct notifier *notifier, const CriuOpts *opts)
{
	const struct option_spec *spec = option_find("external", strlen("external"));
	int err = 0;

	for (size_t i = 0; !err && i < opts->n_external; i++)
		err = option_take(notifier->request, spec, opts->external[i], "external");
	return err;
}

/* 0: the client agrees. The reason of a failure as a text. */
static int await_reply(const struct notifier *notifier, const char *action, const char **ret_why)
{
	CriuReq *reply = NULL;
	int err = wire_receive(notifier->sock, -1, &reply);

	if (err) {
		*ret_why = err == -ENODATA ? "it has closed the connection" :
			   err == -EBADMSG ? "its reply is not a message of the protocol" :
			   err == -EINTR   ? "a signal ended the wait for its reply" :
					     strerror(-err);
	} else if (reply->type != CRIU_REQ_TYPE__NOTIFY) {
		*ret_why = "its reply is not one to a notification";
		err = -EBADMSG;
	} else if (!reply->has_notify_success || !reply->notify_success) {
		*ret_why = "it refused";
		err = -ECANCELED;
	}
	if (!err && str_eq(action, NOTIFY_QUERY_EXTERNALS) && reply->opts) {
		err = take_externals(notifier, reply->opts);
		*ret_why = "its reply has an external resource that cannot be used";
	}
	if (reply)
		criu_req__free_unpacked(reply, NULL);
	return err;
}

/* Is it one of the processes that we have stopped? Then it could not reply. */
static bool is_stopped(const struct notifier *notifier)
{
	_cleanup_proc_status_ struct proc_status status = { 0 };
	struct proc client;
	char path[64];
	int err;

	if (proc_open(notifier->client, &client) < 0)
		return false;
	err = proc_status_read(&client, &status);
	proc_close(&client);
	if (err)
		return false;
	snprintf(path, sizeof(path), "self/task/%d", status.tracer);
	return status.tracer && faccessat(proc_root(), path, F_OK, 0) == 0;
}

static int notify_client(const struct notify_outlet *outlet, const struct options *opts, const struct notice *notice)
{
	const struct notifier *notifier = (const struct notifier *)outlet;
	const struct stage *stage = find_stage(notice->action);
	const char *why = "it cannot be notified";
	int err = is_stopped(notifier) ? -EDEADLK : send_notice(notifier, notice, stage && stage->has_pid);

	log_debug("notification %s", notice->action);
	if (err == -EDEADLK)
		why = "it is part of the tree, which is stopped";
	if (!err)
		err = await_reply(notifier, notice->action, &why);
	if (err && stage && stage->must_not_fail) {
		log_warn("notification %s: the client: %s; this stage has no effect", notice->action, why);
		return 0;
	}
	if (err)
		log_error("notification %s: the client: %s", notice->action, why);
	return err ? -ECANCELED : 0;
}

void notifier_init(struct notifier *notifier, const struct client *client, struct request *request)
{
	*notifier = (struct notifier){
		.outlet = { .notify = notify_client }, .sock = client->sock, .client = client->pid, .request = request
	};
}
