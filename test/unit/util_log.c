// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/log.h"
#include "util_check.h"

static int sink;
static char text[65536];

/* Everything logged since the last call. */
static const char *logged(void)
{
	ssize_t n = pread(sink, text, sizeof(text) - 1, 0);

	text[n < 0 ? 0 : n] = 0;
	if (ftruncate(sink, 0))
		abort();
	return text;
}

/* Expects a "(00.000123) " prefix. */
static const char *after_time(const char *s)
{
	int a, b, n = 0;

	return sscanf(s, "(%2d.%6d)%n", &a, &b, &n) == 2 && n == 11 ? s + 12 : "no time";
}

static void levels(void)
{
	log_set_level(LOG_WARN);
	log_info("not %d", 1);
	log_debug("not");
	CHECK_STR(logged(), "");
	log_warn("disk %s", "full");
	CHECK(strstr(after_time(logged()), "Warn  (test/unit/util_log.c:") == after_time(text));
	CHECK(strstr(text, "): disk full\n"));
	log_set_level(LOG_DEBUG);
	log_info("plain");
	CHECK_STR(after_time(logged()), "plain\n");
	log_set_level(LOG_SILENT);
	log_error("silent");
	CHECK_STR(logged(), "");
	log_set_level(LOG_INFO);
}

static void fail_returns_and_says_why(void)
{
	errno = 7;
	CHECK(fail(-ENOENT, "open %s", "/x") == -ENOENT);
	CHECK(errno == 7);
	CHECK(strstr(after_time(logged()), "Error (test/unit/util_log.c:") == after_time(text));
	CHECK(strstr(text, "): open /x: No such file or directory\n"));
	CHECK(fail(EPERM, "positive") == -EPERM);
	CHECK(fail(0, "zero") == -EIO);
	logged();
	CHECK(fail(-ENOSPC, "write a.img: %s", strerror(ENOSPC)) == -ENOSPC);
	CHECK(strstr(logged(), "): write a.img: No space left on device\n"));
	CHECK(fail(-ENOSPC, "write a.img: %s", strerror(EIO)) == -ENOSPC);
	CHECK(strstr(logged(), "): write a.img: Input/output error: No space left on device\n"));
}

static void scopes_nest(void)
{
	LOG_SCOPE("pid %d", 42);
	{
		LOG_SCOPE("fd %d", 7);
		log_info("a");
		CHECK_STR(after_time(logged()), "pid 42: fd 7: a\n");
	}
	for (int i = 0; i < 3; i++) {
		LOG_SCOPE("vma %d", i);
		if (i == 1)
			continue;
	}
	log_info("b");
	CHECK_STR(after_time(logged()), "pid 42: b\n");
	char long_name[1000];
	memset(long_name, 'x', sizeof(long_name));
	long_name[999] = 0;
	{
		LOG_SCOPE("%s", long_name);
		log_info("c");
		CHECK_STR(after_time(logged()), "pid 42: c\n");
	}
	log_info("d");
	CHECK_STR(after_time(logged()), "pid 42: d\n");
}

static void pid_is_printed(void)
{
	log_set_pid(1234);
	log_info("text");
	CHECK_STR(after_time(logged()), "  1234: text\n");
	log_set_pid(0);
}

static void always_one_line(void)
{
	log_info("a\nb\x1b[31m\n");
	CHECK_STR(after_time(logged()), "a?b?[31m\n");
	static char huge[20000];
	memset(huge, 'y', sizeof(huge) - 1);
	log_info("%s", huge);
	CHECK(strlen(logged()) > 4000 && strlen(text) < 5000 && text[strlen(text) - 1] == '\n');
}

static void errors_are_kept_over_fork(void)
{
	char *out = NULL;
	size_t len;

	log_forget_errors();
	CHECK(!log_first_error() && !log_error_count());
	log_set_level(LOG_SILENT);
	pid_t pid = fork();
	if (!pid) {
		LOG_SCOPE("pid %d", 9);
		fail(-EBUSY, "in the child");
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	CHECK(log_first_error());
	CHECK_STR(log_first_error(), "pid 9: in the child: Device or resource busy");
	for (int i = 1; i <= 50; i++)
		log_error("later %d", i);
	CHECK_STR(log_first_error(), "pid 9: in the child: Device or resource busy");
	CHECK(log_error_count() == 51);
	FILE *f = open_memstream(&out, &len);
	log_errors_to(f);
	fclose(f);
	CHECK(strstr(out, "Error: pid 9: in the child: Device or resource busy\n(31 more errors)\nError: later 32\n") ==
	      out);
	CHECK(strstr(out, "Error: later 50\n") && !strstr(out, "later 31\n"));
	free(out);
	log_set_level(LOG_INFO);
}

/* With a log file, and with stderr as the log. */
static void notices_reach_stderr_once(void)
{
	int seen = memfd_create("stderr", MFD_CLOEXEC), keep = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	char got[256] = "";

	CHECK(seen >= 0 && keep >= 0 && dup2(seen, STDERR_FILENO) >= 0);
	logged();
	log_set_level(LOG_WARN);
	log_notice("clocks of %d", 7);
	ssize_t n = pread(seen, got, sizeof(got) - 1, 0);
	log_to_fd(seen);
	log_notice("once");
	ssize_t more = pread(seen, got + n, sizeof(got) - 1 - n, n);
	log_to_fd(sink);
	log_set_level(LOG_ERROR);
	log_notice("not at all");
	dup2(keep, STDERR_FILENO);
	close(keep);
	close(seen);
	CHECK(n > 0 && more > 0 && strstr(got, "clocks of 7\n") && strstr(got, "once\n"));
	CHECK(strstr(got, "once\n") + 5 == got + n + more && !strstr(strstr(got, "once") + 4, "once"));
	const char *text_ = logged();
	CHECK(strstr(text_, "clocks of 7\n") && !strstr(text_, "not at all"));
	log_set_level(LOG_DEBUG);
}

static void no_log_is_no_error(void)
{
	int was = log_fd();

	log_to_fd(-1);
	log_info("x");
	log_to_fd(was);
	CHECK_STR(logged(), "");
}

static char diverted[64];

static void keep_diverted(void *arg, const char *error)
{
	snprintf(diverted, sizeof(diverted), "%s%s", (const char *)arg, error);
}

static void errors_can_be_diverted(void)
{
	unsigned int before = log_error_count();

	log_divert(keep_diverted, "got: ");
	{
		LOG_SCOPE("pid %d", 7);
		CHECK(fail(-ENOENT, "open %s", "a\x1b") == -ENOENT);
		log_warn("not this");
	}
	log_divert(NULL, NULL);
	CHECK_STR(diverted, "got: open a?: No such file or directory");
	CHECK(log_error_count() == before && strstr(logged(), "not this") && !strstr(text, "open"));
	log_error("again");
	CHECK(log_error_count() == before + 1 && strstr(logged(), "again"));
}

int main(void)
{
	sink = memfd_create("log", MFD_CLOEXEC);
	fcntl(sink, F_SETFL, O_APPEND);
	if (log_init(LOG_INFO))
		return 1;
	log_to_fd(sink);
	RUN(levels);
	RUN(fail_returns_and_says_why);
	RUN(scopes_nest);
	RUN(pid_is_printed);
	RUN(always_one_line);
	RUN(errors_are_kept_over_fork);
	RUN(notices_reach_stderr_once);
	RUN(no_log_is_no_error);
	RUN(errors_can_be_diverted);
	DONE();
}
