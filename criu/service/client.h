/* SPDX-License-Identifier: GPL-2.0-only */
/* The client at the other end of the connection. Descriptors in its requests are numbers in its own table. */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

struct client {
	int sock;
	pid_t pid; /* of whoever made the connection or the socket pair; 0: in another pid namespace */
	int pidfd; /* the same; -1: it had ended already */
};

/* @sock: borrowed. 0 or a negative errno. */
int client_begin(struct client *client, int sock);
void client_end(struct client *client);
bool client_has_ended(const struct client *client);
/* A directory that the client has open as @number. -ESRCH: the client has ended, or is in another pid namespace. */
int client_open_dir(const struct client *client, int number);
/* What it has open as @number, for writing (files and pipes). */
int client_open_output(const struct client *client, int number);
/* A copy of its descriptor @number, of any kind. */
int client_get_fd(const struct client *client, int number);
