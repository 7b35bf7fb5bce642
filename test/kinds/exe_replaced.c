// SPDX-License-Identifier: GPL-2.0-only
/*
 * The executable has been replaced on disk since the start; that of another task was removed.
 * test: flavours=host,container breaks=1
 */
#include "checkpoint.h"
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

static void copy_self(const char *to)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	struct stat st;

	need(in >= 0 && out >= 0 && !fstat(in, &st) && sendfile(out, in, NULL, (size_t)st.st_size) == st.st_size,
	     "copy");
	close(in);
	close(out);
}

static int body(const char *name)
{
	char before[4096] = "", after[4096] = "";

	if (readlink("/proc/self/exe", before, sizeof(before) - 1) < 0)
		return 1;
	checkpoint_task(name, 0);
	if (test_break())
		return 1;
	check(readlink("/proc/self/exe", after, sizeof(after) - 1) > 0, "readlink");
	/* its path is in use by another file: a ghost file may have got its own name */
	if (strstr(after, ".cr."))
		memmove(strstr(after, ".cr."), " (deleted)", 11);
	check(!strcmp(before, after), "exe %s was %s", after, before);
	return access(test_path("failed"), F_OK) ? 0 : 1;
}

int main(int argc, char **argv)
{
	char text[64];
	pid_t pids[2];

	test_init(argc, argv);
	if (argc > 2) {
		task_ready(argv[3]);
		await_task(argv[4]);
		return body(argv[2]);
	}
	copy_self("replaced");
	copy_self("removed");
	for (int i = 0; i < 2; i++) {
		pids[i] = fork();
		if (!pids[i]) {
			const char *name = i ? "removed" : "replaced";

			execl(test_path(name), name, test_dir(), name, i ? "runs1" : "runs0", "broken", NULL);
			_exit(99);
		}
	}
	await_task("runs0");
	await_task("runs1");
	copy_self("new");
	write_file("other", "#!/bin/false\n");
	need(!rename("other", "replaced") && !unlink("removed"), "replace");
	task_ready("broken");
	await_task("replaced");
	await_task("removed");
	checkpoint_here();
	join_task(pids[0]);
	join_task(pids[1]);
	check(read_file("replaced", text, sizeof(text)) == 13 && !strncmp(text, "#!/bin/false", 12), "the new file: %s",
	      text);
	check(access("removed", F_OK) < 0, "the removed file exists again");
	test_done();
}
