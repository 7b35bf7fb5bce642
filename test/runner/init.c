// SPDX-License-Identifier: GPL-2.0-only
/*
 * init PROGRAM ARG...: the first process of a pid namespace. Runs the program in its own session, reaps all orphans,
 * and exits like the program: with its exit status, or 128 plus the number of its signal.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	pid_t program, ended;
	int status;

	if (argc < 2)
		return 2;
	program = fork();
	if (!program) {
		setsid();
		execv(argv[1], argv + 1);
		perror(argv[1]);
		_exit(127);
	}
	while ((ended = wait(&status)) > 0 || errno == EINTR)
		if (ended == program)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	return 1;
}
