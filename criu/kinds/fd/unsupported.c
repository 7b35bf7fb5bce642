// SPDX-License-Identifier: GPL-2.0-only
/* The last row of the table: claims all remaining descriptors, and reports their type and what to do about them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <linux/vm_sockets.h>
#include "base/bits.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"

struct unsupported_name {
	const char *prefix; /* of the link */
	const char *what, *advice;
};

/* Longer prefixes before shorter ones that they start with. */
static const struct unsupported_name unsupported_names[] = {
	{ "anon_inode:[userfaultfd]", "a userfaultfd (page faults that the program handles)",
	  "dump after the program has closed it" },
	{ "anon_inode:[perf_event]", "a performance counter", "stop profiling first" },
	{ "anon_inode:bpf-prog", "a BPF program", "unload it, or close the descriptors of its loader, first" },
	{ "anon_inode:bpf_link", "an attached BPF program (a BPF link)", "detach it first" },
	{ "anon_inode:bpf_iter", "a BPF iterator being read", "read it to the end, then close it" },
	{ "anon_inode:btf", "type information of BPF (BTF)", "close it: it is only needed to load programs" },
	{ "anon_inode:bpf", "a BPF object", "unload the BPF program first" },
	{ "anon_inode:kvm", "a virtual machine (KVM)", "save it with the virtual machine monitor" },
	{ "anon_inode:[kvm", "a virtual machine (KVM)", "save it with the virtual machine monitor" },
	{ "anon_inode:[vfio", "a device assigned to a program (VFIO)", "save the virtual machine with its monitor" },
	{ "anon_inode:seccomp notify", "a seccomp listener", "dump a tree without the supervisor of its system calls" },
	{ "anon_inode:[landlock-ruleset]", "a Landlock ruleset",
	  "close it (tasks confined by one are not supported either)" },
	{ "anon_inode:[fscontext]", "a file system being mounted", "dump after the mount is complete" },
	{ "anon_inode:sync_file", "a fence of a graphics device", "close the device first" },
	{ "anon_inode:drm", "an object of a graphics device", "close the device first" },
	{ "anon_inode:dmabuf", "a DMA buffer", "close the device first" },
	{ "/dmabuf:", "a DMA buffer", "close the device first" },
	{ "/secretmem", "secret memory (memfd_secret)", "no other process may read it: the program has to release it" },
	{ "anon_inode:[gpio", "a line of a GPIO chip", "close it" },
	{ "anon_inode:iio", "a sensor being read", "close it" },
	{ "anon_inode:[xfs", "an XFS file opened by handle", "close it, or open it by path" },
	{ "anon_inode:", "an anonymous file", "unknown type: close it" },
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

static int unsupported_option(int fd, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, name, &value, &len) < 0 ? -1 : value;
}

/* "vsock, listening at port 1234", "vsock, port 1234 connected to 2:5678": as far as available. */
static void unsupported_vsock(int fd, char *ret_text, size_t size)
{
	struct sockaddr_vm own = { .svm_port = VMADDR_PORT_ANY }, peer = { 0 };
	socklen_t own_len = sizeof(own), peer_len = sizeof(peer);
	bool bound = !getsockname(fd, (struct sockaddr *)&own, &own_len) && own.svm_port != VMADDR_PORT_ANY;

	if (!getpeername(fd, (struct sockaddr *)&peer, &peer_len))
		snprintf(ret_text, size, "vsock, port %u connected to %u:%u", own.svm_port, peer.svm_cid,
			 peer.svm_port);
	else if (bound)
		snprintf(ret_text, size, "vsock, %s port %u",
			 unsupported_option(fd, SO_ACCEPTCONN) == 1 ? "listening on" : "bound to", own.svm_port);
	else
		snprintf(ret_text, size, "vsock, not bound");
}

static void unsupported_socket(struct dump *dump, const struct fd_probe *probe)
{
	int family = unsupported_option(probe->local, SO_DOMAIN);
	char text[128] = "unknown";

	for (size_t i = 0; i < ARRAY_SIZE(unsupported_families); i++)
		if (unsupported_families[i].family == family)
			snprintf(text, sizeof(text), "%s", unsupported_families[i].name);
	if (family == AF_VSOCK)
		unsupported_vsock(probe->local, text, sizeof(text));
	dump_blocker(dump, probe->task, probe->fd,
		     "%s: socket not supported (%s: family %d, type %d, protocol %d): close it, or stop the "
		     "program that needs it",
		     probe->link, text, family, unsupported_option(probe->local, SO_TYPE),
		     unsupported_option(probe->local, SO_PROTOCOL));
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
	if (S_ISCHR(mode) || S_ISBLK(mode))
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: %s device %u:%u has state that cannot be saved: close it", probe->link,
			     S_ISCHR(mode) ? "character" : "block", major(probe->st.st_rdev), minor(probe->st.st_rdev));
	else
		dump_blocker(dump, probe->task, probe->fd,
			     "%s: unknown type of file (mode 0%o, file system 0x%x): "
			     "close it",
			     probe->link, mode, probe->fs_magic);
	return 0;
}

static int unsupported_load(struct restore *r, struct file *file, void *state)
{
	return fail(-EBADMSG, "files.img: file %u: no type", file->id);
}

const struct fd_kind unsupported_kind = {
	.name = "unsupported",
	.image_type = FD_TYPES__UND,
	.claims = unsupported_claims,
	.save = unsupported_save,
	.load = unsupported_load,
};
