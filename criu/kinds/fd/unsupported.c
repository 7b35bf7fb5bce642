// SPDX-License-Identifier: GPL-2.0-only
/* The last row of the table: claims what no other kind does, and says what it is and what to do about it. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include "base/bits.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

#define UNSUPPORTED_NSFS_MAGIC 0x6e736673

struct unsupported_name {
	const char *prefix; /* of the link */
	const char *what, *advice;
};

static const struct unsupported_name unsupported_names[] = {
	{ "anon_inode:[userfaultfd]", "a userfaultfd", "dump when the program that uses it is done" },
	{ "anon_inode:[perf_event]", "a performance counter", "stop profiling first" },
	{ "anon_inode:bpf-map", "a BPF map", "unload the BPF program first" },
	{ "anon_inode:bpf", "a BPF object", "unload the BPF program first" },
	{ "anon_inode:[fanotify]", "a fanotify group", "not built yet; only inotify is" },
	{ "anon_inode:kvm", "a virtual machine (KVM)", "save it with the virtual machine monitor's own means" },
	{ "anon_inode:[kvm", "a virtual machine (KVM)", "save it with the virtual machine monitor's own means" },
	{ "anon_inode:seccomp notify", "a seccomp listener", "dump a tree without the supervisor of its system calls" },
	{ "anon_inode:[landlock-ruleset]", "a Landlock ruleset", "dump after the ruleset is in force and closed" },
	{ "anon_inode:[fscontext]", "a file system being mounted", "dump when the mount is done" },
	{ "anon_inode:sync_file", "a fence of a graphics device", "close the device first" },
	{ "anon_inode:dmabuf", "a DMA buffer", "close the device first" },
	{ "/dmabuf:", "a DMA buffer", "close the device first" },
	{ "/secretmem", "secret memory (memfd_secret)", "nobody outside may read it: the program has to give it up" },
	{ "anon_inode:", "an anonymous file", "no kind knows it: close it" },
	{ "socket:", "a socket", "close it" },
	{ "pipe:", "a pipe", "close it" },
};

struct unsupported_family {
	int family;
	const char *name;
};

static const struct unsupported_family unsupported_families[] = {
	{ AF_UNIX, "unix" },
	{ AF_INET, "internet (IPv4)" },
	{ AF_INET6, "internet (IPv6)" },
	{ AF_NETLINK, "netlink" },
	{ AF_PACKET, "packet" },
	{ AF_VSOCK, "vsock" },
	{ AF_BLUETOOTH, "bluetooth" },
	{ AF_ALG, "kernel crypto" },
	{ AF_CAN, "CAN bus" },
	{ AF_XDP, "XDP" },
	{ AF_TIPC, "TIPC" },
	{ AF_KEY, "IPsec key" },
	{ AF_RDS, "RDS" },
	{ AF_SMC, "SMC" },
	{ AF_QIPCRTR, "IPC router" },
};

static bool unsupported_claims(const struct fd_probe *probe)
{
	return true;
}

static void unsupported_socket(struct dump *dump, const struct fd_probe *probe)
{
	int family = -1, type = -1, protocol = -1;
	socklen_t len = sizeof(int);
	const char *name = NULL;

	getsockopt(probe->local, SOL_SOCKET, SO_DOMAIN, &family, &len);
	getsockopt(probe->local, SOL_SOCKET, SO_TYPE, &type, &len);
	getsockopt(probe->local, SOL_SOCKET, SO_PROTOCOL, &protocol, &len);
	for (size_t i = 0; i < ARRAY_SIZE(unsupported_families); i++)
		if (unsupported_families[i].family == family)
			name = unsupported_families[i].name;
	dump_blocker(
		dump, probe->task, probe->fd,
		"%s: a socket that cannot be saved yet: %s%sfamily %d, type %d, protocol %d; close it, or stop the "
		"program that needs it",
		probe->link, name ? name : "", name ? ", " : "", family, type, protocol);
}

static int unsupported_save(struct dump *dump, const struct fd_probe *probe, FileEntry *entry)
{
	mode_t mode = probe->st.st_mode;

	if (S_ISSOCK(mode)) {
		unsupported_socket(dump, probe);
		return 0;
	}
	for (size_t i = 0; i < ARRAY_SIZE(unsupported_names); i++) {
		const struct unsupported_name *name = &unsupported_names[i];

		if (!strncmp(probe->link, name->prefix, strlen(name->prefix))) {
			dump_blocker(dump, probe->task, probe->fd, "%s: %s cannot be saved: %s", probe->link,
				     name->what, name->advice);
			return 0;
		}
	}
	if (probe->fs_magic == UNSUPPORTED_NSFS_MAGIC)
		dump_blocker(dump, probe->task, probe->fd, "%s: a namespace held open cannot be saved yet: close it",
			     probe->link);
	else if (S_ISCHR(mode) || S_ISBLK(mode))
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: %s device %u:%u has a state that cannot be saved: close it", probe->link,
			     S_ISCHR(mode) ? "character" : "block", major(probe->st.st_rdev), minor(probe->st.st_rdev));
	else
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: no kind knows such a file (mode 0%o, file system 0x%x): "
			     "close it",
			     probe->link, mode, probe->fs_magic);
	return 0;
}

static int unsupported_load(struct restore *r, struct file *file, void *state)
{
	return fail(-EBADMSG, "files.img: file %u: of no type at all", file->id);
}

const struct fd_kind unsupported_kind = {
	.name = "unsupported",
	.image_type = FD_TYPES__UND,
	.claims = unsupported_claims,
	.save = unsupported_save,
	.load = unsupported_load,
};
