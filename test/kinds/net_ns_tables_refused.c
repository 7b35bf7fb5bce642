// SPDX-License-Identifier: GPL-2.0-only
/*
 * By root of a user namespace: a network namespace that was created before its user namespace had maps. The names of its iptables
 * tables belong to root of the host.
 * test: flavours= user-root=host refused="may only be read by root outside of all user namespaces.*create the network namespace after the maps"
 */
#include "checkpoint.h"
#include <sched.h>
#include <sys/prctl.h>

int main(int argc, char **argv)
{
	test_init(argc, argv);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		test_skip("no user namespaces");
	need(!prctl(PR_SET_DUMPABLE, 1), "dumpable");
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", "0 0 1");
	write_file("/proc/self/gid_map", "0 0 1");
	if (open("/proc/self/net/ip_tables_names", O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		test_skip("no iptables, or their names are readable");
	checkpoint_here();
	test_done();
}
