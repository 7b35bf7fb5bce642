// SPDX-License-Identifier: GPL-2.0-only
/*
 * A directory of images as one input (fuzz_load_bundle.h), read and linked by the phases of a restore, which must have
 * no side effect: no open descriptor, no new file, and the log has the reason for a refusal.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz_load_bundle.h"
#include "restore/restore.h"
#include "run/restore.h"
#include "util/log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static char top[] = "/dev/shm/fuzz_load.XXXXXX";
static int top_fd = -1;
static struct options opts;
static struct rights rights;

static void remove_top(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", top);
	if (system(command))
		abort();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (!mkdtemp(top) || (top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 || options_init(&opts))
		abort();
	atexit(remove_top);
	opts.images_dir_fd = top_fd;
	opts.shell_job = opts.tcp_established = true;
	/* Seeds are from other machines. */
	opts.cpu_cap = CPU_CAP_NONE;
	if (log_init(LOG_ERROR) || rights_probe(&rights))
		abort();
	log_to_fd(-1);
	return 0;
}

/* Number of files in the directory; with @wipe they are removed. */
static size_t files(bool wipe)
{
	DIR *dir = fdopendir(openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *e;
	size_t n = 0;

	if (!dir)
		abort();
	while ((e = readdir(dir))) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		if (wipe)
			unlinkat(top_fd, e->d_name, 0);
	}
	closedir(dir);
	return n;
}

static void write_part(const struct part *part)
{
	int fd = openat(top_fd, part->name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	uint64_t len = 0;

	if (fd < 0)
		abort();
	/* For pages only their size is recorded. */
	memcpy(&len, part->data, part->len < 8 ? part->len : 8);
	if (part->type == IMAGE_PAGES ? ftruncate(fd, (off_t)(len & ((1ull << 40) - 1))) :
					write(fd, part->data, part->len) != (ssize_t)part->len)
		abort();
	close(fd);
}

static int lowest_fd(void)
{
	int fd = fcntl(top_fd, F_DUPFD_CLOEXEC, 0);

	close(fd);
	return fd;
}

static void complain(const char *what, int number)
{
	char link[64], target[256] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", number);
	if (readlink(link, target, sizeof(target) - 1) < 0)
		target[0] = 0;
	fprintf(stderr, "ERROR: %s: %d %s\n", what, number, target);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bundle bundle;
	struct restore *r;
	size_t written;
	int fd, err;

	bundle_parse(data, size, &bundle);
	files(true);
	for (size_t i = 0; i < bundle.nr; i++)
		write_part(&bundle.parts[i]);
	written = files(false);
	fd = lowest_fd();
	log_forget_errors();
	r = restore_new(&opts);
	r->rights = r->tool.rights = rights;
	err = restore_open_images(r);
	if (!err)
		err = restore_load(r);
	if (!err)
		err = restore_link(r);
	if (err > 0 || (err < 0 && !log_first_error()))
		complain("refused without a reason", err);
	restore_free(r);
	if (lowest_fd() != fd)
		complain("a descriptor was left open", fd);
	if (files(false) != written)
		complain("a file was created", 0);
	return 0;
}
