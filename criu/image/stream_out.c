// SPDX-License-Identifier: GPL-2.0-only
#include "image/stream_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "image/stream.h"

/* While a tree is frozen, nothing but pages has to wait for the reader, up to so many bytes. */
enum { HELD_MAX = 64 << 20 };

static struct stream_out *out_of(struct image_store *store)
{
	return container_of(store, struct stream_out, store);
}

static int no_image(struct image_store *store, enum image_type type, uint64_t id, struct image_extent *ret_extent)
{
	return image_store_fail(store, -ENOENT, "images that are sent cannot be read");
}

static bool has_none(struct image_store *store, enum image_type type, uint64_t id)
{
	return false;
}

static int begin(struct image_store *store, bool beside)
{
	return beside || out_of(store)->sealed ? image_store_fail(store, -EROFS, "the stream is complete") : 0;
}

static int append(struct image_store *store, struct image_out *out, const void *buf, size_t len)
{
	struct stream_out *s = out_of(store);
	int err = out->own ? 0 : s->ops->start(s, out);

	return err ? err : s->ops->data(s, out, buf, len);
}

static void discard(struct image_store *store, struct image_out *out)
{
	out_of(store)->ops->drop(out_of(store), out);
}

static int hold(struct stream_out *s, const struct image_out *out, const void *buf, size_t len)
{
	struct image_bytes *image = image_bytes_new(out->type, out->id);
	int err = image ? image_bytes_append(image, buf, len) : -ENOMEM;

	if (!err && out->type == IMAGE_INVENTORY) {
		if (s->inventory)
			err = -EEXIST;
		else
			s->inventory = image;
	} else if (!err) {
		err = image_set_add(&s->held, image);
	}
	if (!err)
		return 0;
	image_bytes_free(image);
	return image_store_fail(&s->store, err, "create %s: %s", out->name, strerror(-err));
}

static int finish(struct image_store *store, struct image_out *out, const void *buf, size_t len)
{
	struct stream_out *s = out_of(store);
	int err;

	if (!out->own && (out->type == IMAGE_INVENTORY || s->held.len + len <= HELD_MAX))
		return hold(s, out, buf, len);
	err = append(store, out, buf, len);
	if (!err)
		err = s->ops->end(s, out);
	discard(store, out);
	return err;
}

static int send_held(struct stream_out *s, const struct image_bytes *image)
{
	struct image_out out = { .type = image->type, .id = image->id, .fd = -1 };
	int err;

	image_name(image->type, image->id, out.name);
	err = append(&s->store, &out, image->data, image->len);
	if (!err)
		err = s->ops->end(s, &out);
	discard(&s->store, &out);
	return err;
}

static int publish(struct image_store *store)
{
	struct stream_out *s = out_of(store);
	int err = 0;

	for (const struct image_bytes *image = s->held.first; !err && image; image = image->next)
		err = send_held(s, image);
	image_set_clear(&s->held);
	return err;
}

static void commit(struct image_store *store)
{
}

static void forget(struct stream_out *s)
{
	image_set_clear(&s->held);
	image_bytes_free(steal_ptr(&s->inventory));
}

static void give_up(struct image_store *store)
{
	struct stream_out *s = out_of(store);

	forget(s);
	s->ops->cancel(s);
}

static int send_but_end(struct image_store *store, int *ret_end_fd)
{
	struct stream_out *s = out_of(store);
	int err = s->prepared ? 0 : s->ops->send_but_end(s, s->inventory);

	s->prepared = !err;
	if (!err)
		*ret_end_fd = s->end_fd;
	return err;
}

/* Where nothing can be spliced to, like a file opened for appending. The pipe shows it one system call late. */
static int write_end(struct stream_out *s)
{
	int err = stream_out_write(s, s->end_to, s->end, s->end_len);
	ssize_t n = err ? 0 : read(s->end_fd, s->end, s->end_len);

	return n < 0 ? -errno : err;
}

/* Bytes leave the pipe in the system call that sends them, so that it shows what has not been sent if we are killed. */
static int send_end(struct stream_out *s)
{
	size_t sent = 0;
	int err = 0;

	/* No waiting once it has been sent: there is nothing to interrupt any more. */
	while (!err && sent < s->end_len) {
		ssize_t n;

		err = stream_out_wait(s, s->end_to);
		if (err)
			break;
		n = splice(s->end_fd, NULL, s->end_to, NULL, s->end_len - sent, SPLICE_F_NONBLOCK);
		if (!n)
			break;
		sent += n > 0 ? (size_t)n : 0;
		if (n < 0 && errno == EINVAL)
			return write_end(s);
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			err = -errno;
	}
	return err;
}

enum { READER_STEP_MS = 1 };

/*
 * Whoever reads the other end has taken everything but the end, so it has not refused what these images refer to. Not known of a
 * file, or of a reader behind the next one, as at the other end of TCP.
 */
static int await_reader(const struct stream_out *s)
{
	struct pollfd fds[] = { { .fd = s->end_to }, { .fd = s->stop_fd, .events = POLLIN } };
	struct stat st;
	int left;

	/* FIONREAD of a file is something else. */
	if (fstat(s->end_to, &st) < 0)
		return -errno;
	if (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode))
		return 0;
	while ((!ioctl(s->end_to, SIOCOUTQ, &left) || !ioctl(s->end_to, FIONREAD, &left)) && left > 0) {
		if (poll(fds, ARRAY_SIZE(fds), READER_STEP_MS) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents & (POLLERR | POLLHUP))
			return -EPIPE;
		if (fds[1].revents)
			return -EINTR;
	}
	return 0;
}

static int seal(struct image_store *store)
{
	struct stream_out *s = out_of(store);
	int end_fd, err = send_but_end(store, &end_fd);

	if (!err && s->refers && end_fd >= 0) {
		err = await_reader(s);
		if (err)
			err = s->ops->seal(s, err);
	}
	if (!err)
		err = s->ops->seal(s, end_fd < 0 ? 0 : send_end(s));
	s->sealed = !err;
	return err;
}

static void close_store(struct image_store *store)
{
	struct stream_out *s = out_of(store);

	/* Committed, but then something else failed. */
	if (!s->sealed)
		s->ops->cancel(s);
	forget(s);
	cleanup_close(&s->end_fd);
	s->ops->free(s);
}

static const struct image_store_ops out_ops = {
	.open = no_image,
	.has = has_none,
	.begin = begin,
	.append = append,
	.finish = finish,
	.discard = discard,
	.publish = publish,
	.commit = commit,
	.send_but_end = send_but_end,
	.seal = seal,
	.abort = give_up,
	.free = close_store,
};

int stream_out_wait(const struct stream_out *s, int fd)
{
	struct pollfd fds[] = { { .fd = fd, .events = POLLOUT }, { .fd = s->stop_fd, .events = POLLIN } };

	while (poll(fds, ARRAY_SIZE(fds), -1) < 0)
		if (errno != EINTR)
			return -errno;
	if (fds[0].revents)
		return fds[0].revents & POLLERR ? -EPIPE : 0;
	return -EINTR;
}

int stream_out_write(const struct stream_out *s, int fd, const void *buf, size_t len)
{
	bool is_socket = true;
	int err = 0;

	while (!err && len) {
		ssize_t n = is_socket ? send(fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL) : write(fd, buf, len);

		if (n < 0 && errno == ENOTSOCK) {
			is_socket = false;
		} else if (n < 0 && errno == EAGAIN) {
			err = stream_out_wait(s, fd);
		} else if (n < 0 && errno != EINTR) {
			err = -errno;
		} else if (n > 0) {
			buf = (const char *)buf + n;
			len -= (size_t)n;
		}
	}
	return err;
}

int stream_out_end(struct stream_out *s, int to, const void *buf, size_t len)
{
	int ends[2];
	ssize_t n;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	n = write(ends[1], buf, len);
	/* When it is empty, its end is found. */
	cleanup_close(&ends[1]);
	if (n != (ssize_t)len || len > sizeof(s->end)) {
		cleanup_close(&ends[0]);
		return -EIO;
	}
	memcpy(s->end, buf, len);
	s->end_len = len;
	s->end_to = to;
	s->end_fd = ends[0];
	return 0;
}

void image_stream_set_stop(struct image_store *store, int stop_fd)
{
	out_of(store)->stop_fd = stop_fd;
}

void stream_out_init(struct stream_out *s, const struct stream_out_ops *ops, int fd)
{
	s->stop_fd = s->end_fd = -1;
	s->store.ops = &out_ops;
	s->ops = ops;
	s->fd = fd;
}
