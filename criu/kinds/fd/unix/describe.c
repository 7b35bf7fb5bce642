// SPDX-License-Identifier: GPL-2.0-only
/* A socket, for criu ps. */
#include <fcntl.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "base/bits.h"
#include "kinds/fd/unix/internal.h"
#include "run/describe.h"

static const char *type_of(uint32_t type)
{
	switch (type) {
	case SOCK_STREAM:
		return "stream";
	case SOCK_DGRAM:
		return "datagram";
	case SOCK_SEQPACKET:
		return "seqpacket";
	}
	return "?";
}

/* Abstract ones begin with a NUL, and may have others: as '@', like ss(8). */
static void add_name(struct description *d, const ProtobufCBinaryData *name)
{
	size_t len = MIN_OF(name->len, sizeof(((struct sockaddr_un *)0)->sun_path));

	if (!len)
		return;
	if (name->data[0])
		len = strnlen((const char *)name->data, len);
	describe_add(d, " ");
	for (size_t i = 0; i < len; i++)
		describe_add(d, "%c", name->data[i] ? name->data[i] : '@');
}

void unix_describe(const FileEntry *entry, struct description *d)
{
	const UnixSkEntry *sk = entry->usk;

	d->connects = true;
	if (!sk)
		return;
	describe_add(d, "unix %s %u", type_of(sk->type), sk->ino);
	add_name(d, &sk->name);
	if (sk->state == TCP_LISTEN)
		describe_add(d, " listening");
	if (!sk->peer)
		return;
	describe_add(d, " - %u", sk->peer);
	describe_flow(d, "unix", MIN_OF(sk->ino, sk->peer), O_RDWR);
}
