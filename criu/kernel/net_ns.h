/* SPDX-License-Identifier: GPL-2.0-only */
/* The network namespace that the calling thread acts in. setns(2), network_namespaces(7) */
#pragma once

/* A descriptor of it, or a negative errno. */
int net_ns_open_own(void);
/* The thread acts in another one from now on: new sockets, /proc/sys/net. 0 or a negative errno. */
int net_ns_enter(int ns);
/* A descriptor of the namespace that the socket @fd belongs to (needs CAP_NET_ADMIN there), or a negative errno. */
int net_ns_of_socket(int fd);
/*
 * A descriptor of the directory with the devices of the namespace that the thread acts in: devices/virtual/net of a sysfs(5) that is
 * attached nowhere. A negative errno; -EPERM: not allowed, in a user namespace.
 */
int net_ns_open_devices(void);
