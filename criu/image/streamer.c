// SPDX-License-Identifier: GPL-2.0-only
#include "image/streamer.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "img-streamer.pb-c.h"
#include "util/fds.h"
#include "util/proc_root.h"

int streamer_connect(int dir_fd, const char *name, struct image_error *ret_error)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char dir[PROC_FD_NAME_MAX];

	if (sock < 0)
		return image_fail(ret_error, -errno, "socket: %s", strerror(errno));
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s", proc_fd_path(dir, dir_fd), name);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return image_fail(ret_error, -errno,
				  "connect to %s in the images directory: %s; start the streamer first (--stream)",
				  name, strerror(errno));
	return steal_fd(&sock);
}

int streamer_send_name(int sock, const char *name)
{
	ImgStreamerRequestEntry request = IMG_STREAMER_REQUEST_ENTRY__INIT;
	uint8_t message[sizeof(uint32_t) + 2 * IMAGE_NAME_MAX];
	uint32_t len;

	request.filename = (char *)name;
	len = htole32((uint32_t)protobuf_c_message_pack(&request.base, message + sizeof(len)));
	memcpy(message, &len, sizeof(len));
	return write_full(sock, message, sizeof(len) + le32toh(len));
}

int streamer_send_fd(int sock, int fd)
{
	return send_fds(sock, &fd, 1, "", 1);
}
