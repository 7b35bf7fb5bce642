// SPDX-License-Identifier: GPL-2.0-only
/* Requests and responses on one connection. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "service/prepare.h"
#include "service/requests.h"
#include "service/serve.h"
#include "service/wire.h"
#include "util/log.h"
#include "util/utf8.h"

/* Errors that clients know: image-independent numbers of Linux. Others are 0, and only have a text. */
static int errno_of(const struct session *s, int err)
{
	if (err == -ESRCH || err == -EEXIST)
		return -err;
	return s->reason[0] ? EBADRQC : 0;
}

static void fill_failure(struct session *s, int err, CriuResp *resp)
{
	const char *logged = log_first_error();

	resp->cr_errno = errno_of(s, err);
	resp->has_cr_errno = resp->cr_errno != 0;
	/* Languages of clients refuse a message with a string that is not UTF-8, and terminals may act on it. */
	if (!s->reason[0])
		snprintf(s->reason, sizeof(s->reason), "%s", logged ? logged : strerror(-err));
	utf8_clean(s->reason);
	resp->cr_errmsg = s->reason;
}

/* Not a request, or not one that can come first: the response has no type. */
static int answer_unknown(struct session *s)
{
	CriuResp resp = CRIU_RESP__INIT;

	resp.type = CRIU_REQ_TYPE__EMPTY;
	resp.success = false;
	wire_send(s->client.sock, &resp, -1);
	return EXIT_PROTOCOL_ERROR;
}

static struct answer empty_answer(CriuReqType type)
{
	struct answer answer = {
		.resp = CRIU_RESP__INIT,
		.dump = CRIU_DUMP_RESP__INIT,
		.restore = CRIU_RESTORE_RESP__INIT,
		.features = CRIU_FEATURES__INIT,
		.version = CRIU_VERSION__INIT,
		.ps = CRIU_PAGE_SERVER_INFO__INIT,
	};

	answer.resp.type = type;
	return answer;
}

static int answer(struct session *s, const struct request_type *type, const CriuReq *req, bool *ret_again)
{
	struct answer answer = empty_answer(req->type);
	int err, sent;

	s->reason[0] = 0;
	log_forget_errors();
	if (s->refusal && !type->for_everyone)
		err = session_refuse(s, -EPERM, "%s", s->refusal);
	else if (type->serve)
		err = type->serve(s, req, &answer);
	else
		err = session_refuse(s, -EOPNOTSUPP, "the request %s is not implemented", type->name);
	answer.resp.success = !err;
	if (err)
		fill_failure(s, err, &answer.resp);
	sent = wire_send(s->client.sock, &answer.resp, -1);
	/* A dump of the client itself leaves nobody to read it. */
	if (sent && !client_has_ended(&s->client))
		log_warn("%s: send the response: %s", type->name, strerror(-sent));
	*ret_again = !sent && ((req->has_keep_open && req->keep_open) || (type->stays_open && !err));
	s->may_end = *ret_again && type->stays_open;
	if (err)
		return type->failed;
	return type->finish ? type->finish(s) : sent ? EXIT_REQUEST_FAILED : EXIT_SERVED;
}

static int serve_one(struct session *s, int timeout_ms, bool *ret_again)
{
	const struct request_type *type;
	CriuReq *req = NULL;
	/* Rounds of pre-dumps take as long as the client likes. */
	int err = wire_receive(s->client.sock, s->may_end ? -1 : timeout_ms, &req), status;

	if (err == -ENODATA && s->may_end)
		return EXIT_SERVED;
	if (err) {
		if (err != -ENODATA)
			fprintf(stderr, "criu: request: %s\n",
				err == -EBADMSG ? "not a message of the protocol" : strerror(-err));
		return EXIT_PROTOCOL_ERROR;
	}
	type = request_type_of(req->type);
	if (!type)
		status = answer_unknown(s);
	else if (req->has_keep_open && req->keep_open && !type->may_keep_open)
		status = EXIT_PROTOCOL_ERROR;
	else
		status = answer(s, type, req, ret_again);
	session_release(s);
	criu_req__free_unpacked(req, NULL);
	return status;
}

int session_serve(struct session *s, int timeout_ms)
{
	int status;
	bool again;

	do {
		again = false;
		status = serve_one(s, timeout_ms, &again);
	} while (again);
	return status;
}
