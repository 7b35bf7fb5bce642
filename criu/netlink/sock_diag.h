/* SPDX-License-Identifier: GPL-2.0-only */
/* What all sock_diag queries share: the question, the messages, their attributes. sock_diag(7). 0 or a negative errno. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Bytes of a message, read inside their bounds. */
struct diag_bytes {
	const char *p;
	size_t left;
};

/* Copies the next @len bytes; false, and nothing taken, if there are fewer. */
bool diag_take(struct diag_bytes *from, void *to, size_t len);
/* The next attribute behind the fixed part of an answer: 1, 0 at the end, -EBADMSG. */
int diag_attribute(struct diag_bytes *body, unsigned *ret_type, struct diag_bytes *ret_value);

/* One answer. What it returns but 0 ends the reading. */
typedef int (*diag_answer)(struct diag_bytes body, void *arg);

/* Messages as the kernel sends them: 1 after the last one, 0 when more must follow; -EBADMSG: not the kernel's. */
int sock_diag_parse(const void *messages, size_t len, diag_answer answer, void *arg);
/* Asks with @request (struct inet_diag_req_v2, ...) in the caller's network namespace, and reads all answers. */
int sock_diag_ask(const void *request, size_t len, diag_answer answer, void *arg);
/* A netlink socket for many questions. */
int sock_diag_open(void);
/* The same for the one socket that the request names. */
int sock_diag_ask_one(int netlink, const void *request, size_t len, diag_answer answer, void *arg);
