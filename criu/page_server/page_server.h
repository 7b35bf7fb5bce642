/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * criu page-server: receives the pages of a dump on another machine, or of CRIU 4.2, and writes them to the images directory.
 * It serves one client.
 */
#pragma once
#include "run/options.h"

/* 0: the pages of one dump are complete; otherwise a negative errno, logged, and there are none. */
int page_server_run(const struct options *opts);

struct page_server;

/* The same in steps. *ret_port: where it listens; 0 with --ps-socket. */
int page_server_begin(const struct options *opts, struct page_server **ret, uint16_t *ret_port);
/* In the process that serves the client. @ready: see background_ready(). */
int page_server_ready(struct page_server *server, int ready);
/* Frees it. */
int page_server_serve(struct page_server *server);
/* NULL is allowed. */
void page_server_free(struct page_server *server);
