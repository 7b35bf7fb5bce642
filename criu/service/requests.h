/* SPDX-License-Identifier: GPL-2.0-only */
/* The types of requests: how each is served. */
#pragma once
#include "service/session.h"

/* Exit statuses of `criu swrk`. */
enum { EXIT_SERVED = 0, EXIT_REQUEST_FAILED = 1, EXIT_PROTOCOL_ERROR = 255 };

/* A response, with the messages that it may contain. */
struct answer {
	CriuResp resp;
	CriuDumpResp dump;
	CriuRestoreResp restore;
	CriuFeatures features;
	CriuVersion version;
	CriuPageServerInfo ps;
};

/* A type of request. */
struct request_type {
	const char *name; /* as it is shown in messages */
	/*
	 * Serves it, and adds to the response what is for this type. 0, or a negative errno: the reason is in the log, or in
	 * session->reason. NULL: not implemented.
	 */
	int (*serve)(struct session *s, const CriuReq *req, struct answer *ret);
	/* After the response. Returns the exit status instead of EXIT_SERVED; NULL: nothing. */
	int (*finish)(struct session *s);
	bool for_everyone; /* it needs no rights */
	bool stays_open; /* after a success the client may send another one, or close the connection */
	bool may_keep_open; /* a request with keep_open may be followed by another one */
	int failed; /* exit status after a failure */
};

/* NULL: not a request. types.c */
const struct request_type *request_type_of(CriuReqType type);

/* run.c */
int serve_pre_dump(struct session *s, const CriuReq *req, struct answer *ret);
int serve_dump(struct session *s, const CriuReq *req, struct answer *ret);
int serve_restore(struct session *s, const CriuReq *req, struct answer *ret);
int finish_restore(struct session *s);
/* page_server.c */
int serve_page_server(struct session *s, const CriuReq *req, struct answer *ret);
int serve_page_server_child(struct session *s, const CriuReq *req, struct answer *ret);
/* check.c */
int serve_check(struct session *s, const CriuReq *req, struct answer *ret);
int serve_feature_check(struct session *s, const CriuReq *req, struct answer *ret);
/* cpuinfo.c */
int serve_cpuinfo_dump(struct session *s, const CriuReq *req, struct answer *ret);
int serve_cpuinfo_check(struct session *s, const CriuReq *req, struct answer *ret);
