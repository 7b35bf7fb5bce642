// SPDX-License-Identifier: GPL-2.0-only
/*
 * Listening sockets of both types, named and abstract: one connection accepted, others not accepted yet, in their
 * order; mode and owner of the file; names of both ends; a server whose listening socket is closed, and one whose file
 * is removed.
 * test: flavours=host,net,container,user breaks=2 decode=yes
 */
#include "checkpoint.h"
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

static const int types[] = { SOCK_STREAM, SOCK_SEQPACKET };

static socklen_t address(struct sockaddr_un *a, const char *name)
{
	size_t len = strlen(name);

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	memcpy(a->sun_path, name, len);
	if (name[0] != '@')
		return offsetof(struct sockaddr_un, sun_path) + len + 1;
	a->sun_path[0] = 0;
	return offsetof(struct sockaddr_un, sun_path) + len;
}

static int listen_at(int type, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, name);
	int fd = socket(AF_UNIX, type, 0);

	need(fd >= 0 && !bind(fd, (struct sockaddr *)&a, len) && !listen(fd, 3), "listen on %s: %m", name);
	return fd;
}

static int connect_to(int type, const char *name)
{
	struct sockaddr_un a;
	socklen_t len = address(&a, name);
	int fd = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);

	need(fd >= 0 && !connect(fd, (struct sockaddr *)&a, len), "connect to %s: %m", name);
	return fd;
}

static void has_name(int fd, const char *name, bool peer)
{
	struct sockaddr_un a, b;
	socklen_t want = address(&a, name), len = sizeof(b);

	check(!(peer ? getpeername : getsockname)(fd, (struct sockaddr *)&b, &len), "name of %s: %m", name);
	check(len == want && !memcmp(&a, &b, len), "name of %s: length %u, %u", name, len, want);
}

static void passes(int from, int to, const char *text)
{
	char buf[64] = "";

	check(write(from, text, strlen(text)) == (ssize_t)strlen(text), "write %s: %m", text);
	check(read(to, buf, 64) == (ssize_t)strlen(text) && !strcmp(buf, text), "read %s, not %s", buf, text);
}

int main(int argc, char **argv)
{
	char name[2][2][100], gone[2][100];
	int l[2][2], c[2][2], s[2][2], w[2][2][2], gone_c[2], gone_s[2], del_l, del_c, del_s, backlog_full;
	struct sockaddr_un a;
	struct stat st;
	unsigned salt;

	test_init(argc, argv);
	/* Abstract names are visible to tests that run in parallel. */
	need(getrandom(&salt, sizeof(salt), 0) == sizeof(salt), "getrandom");
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 2; j++) {
			if (j)
				snprintf(name[i][j], 100, "@listen%d-%x", i, salt);
			else
				snprintf(name[i][j], 100, "%s/listen%d", test_dir(), i);
			l[i][j] = listen_at(types[i], name[i][j]);
			c[i][j] = connect_to(types[i], name[i][j]);
			s[i][j] = accept(l[i][j], NULL, NULL);
			w[i][j][0] = connect_to(types[i], name[i][j]);
			w[i][j][1] = connect_to(types[i], name[i][j]);
			check(write(c[i][j], "before", 6) == 6, "write");
		}
		need(!chown(name[i][0], 1234, 5678 + i) && !chmod(name[i][0], 0620 + i), "chown, chmod");
		snprintf(gone[i], 100, i ? "@gone%x" : "gone", salt);
		int once = listen_at(types[i], gone[i]);
		gone_c[i] = connect_to(types[i], gone[i]);
		gone_s[i] = accept(once, NULL, NULL);
		close(once);
		if (!i)
			need(!unlink(gone[i]), "unlink");
	}
	del_l = listen_at(SOCK_STREAM, "./deleted");
	del_c = connect_to(SOCK_STREAM, "./deleted");
	del_s = accept(del_l, NULL, NULL);
	backlog_full = connect_to(SOCK_STREAM, "./deleted");
	need(!unlink("deleted"), "unlink");
	switch (checkpoint_here()) {
	case 1:
		accept(l[0][0], NULL, NULL);
		break;
	case 2:
		chmod(name[1][0], 0700);
		break;
	}
	for (int i = 0; i < 2; i++) {
		for (int j = 0; j < 2; j++) {
			char buf[16] = "";

			has_name(l[i][j], name[i][j], false);
			has_name(s[i][j], name[i][j], false);
			has_name(c[i][j], name[i][j], true);
			check(read(s[i][j], buf, 16) == 6 && !memcmp(buf, "before", 6), "before: %s", buf);
			passes(c[i][j], s[i][j], "to server");
			passes(s[i][j], c[i][j], "to client");
			fcntl(l[i][j], F_SETFL, O_NONBLOCK);
			for (int k = 0; k < 2; k++) {
				int got = accept(l[i][j], NULL, NULL);

				check(got >= 0, "accept %d: %m", k);
				if (got < 0)
					continue;
				passes(w[i][j][k], got, "waited");
				passes(got, w[i][j][k], "so did I");
				has_name(got, name[i][j], false);
			}
			check(accept(l[i][j], NULL, NULL) < 0 && errno == EAGAIN, "no further connection");
			connect_to(types[i], name[i][j]);
		}
		check(!stat(name[i][0], &st) && (st.st_mode & 07777) == 0620u + i, "mode 0%o", st.st_mode);
		check(st.st_uid == 1234 && st.st_gid == 5678u + i, "owner %u:%u", st.st_uid, st.st_gid);
		has_name(gone_s[i], gone[i], false);
		has_name(gone_c[i], gone[i], true);
		passes(gone_c[i], gone_s[i], "still here");
		check(connect(socket(AF_UNIX, types[i], 0), (struct sockaddr *)&a, address(&a, gone[i])) < 0,
		      "%s exists", gone[i]);
	}
	has_name(del_l, "./deleted", false);
	passes(del_c, del_s, "deleted");
	has_name(del_c, "./deleted", true);
	passes(backlog_full, accept(del_l, NULL, NULL), "late");
	check(access("deleted", F_OK) < 0, "deleted exists");
	test_done();
}
