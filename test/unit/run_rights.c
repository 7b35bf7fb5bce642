// SPDX-License-Identifier: GPL-2.0-only
/* Which capabilities a right needs, and in which user namespace. */
#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/bits.h"
#include "run/rights.h"
#include "util/log.h"
#include "util_check.h"

static struct rights with(uint64_t effective)
{
	struct rights rights = { 0 };

	rights_probe(&rights);
	rights.caps = (struct caps){ .effective = effective, .permitted = effective };
	return rights;
}

static bool may(uint64_t effective, enum right right)
{
	const struct rights rights = with(effective);

	return rights_may(&rights, right);
}

/* Every right needs something, and has a name and a text. */
static void every_right_is_described(void)
{
	for (enum right right = 0; right < RIGHTS; right++) {
		CHECK(!may(0, right));
		CHECK(may(UINT64_MAX, right));
		CHECK(rights_name(right) && rights_name(right)[0]);
		CHECK(!strncmp(rights_text(right), "needs CAP_", 10));
	}
}

/* Each right is denied when one needed capability is missing and all others are present. */
static void each_capability_counts(void)
{
	static const struct {
		enum right right;
		int cap;
	} needs[] = {
		{ RIGHT_PTRACE_ANY, CAP_SYS_PTRACE },	  { RIGHT_CHANGE_IDS, CAP_SETUID },
		{ RIGHT_CHANGE_IDS, CAP_SETGID },	  { RIGHT_SET_SECUREBITS, CAP_SETPCAP },
		{ RIGHT_NET_ADMIN, CAP_NET_ADMIN },	  { RIGHT_RAW_SOCKETS, CAP_NET_RAW },
		{ RIGHT_RAISE_LIMITS, CAP_SYS_RESOURCE }, { RIGHT_READ_KERNEL_MEMORY, CAP_SYS_ADMIN },
		{ RIGHT_READ_FILTERS, CAP_SYS_ADMIN },	  { RIGHT_NAMESPACES, CAP_SYS_ADMIN },
		{ RIGHT_CHANGE_ROOT, CAP_SYS_CHROOT },	  { RIGHT_ALARM_CLOCKS, CAP_WAKE_ALARM },
		{ RIGHT_HANG_UP, CAP_SYS_ADMIN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		CHECK(!may(~BIT(needs[i].cap), needs[i].right));
	for (size_t i = 0; i < ARRAY_SIZE(needs); i++)
		if (needs[i].right != RIGHT_CHANGE_IDS)
			CHECK(may(BIT(needs[i].cap), needs[i].right));
}

static void one_of_two_is_enough(void)
{
	static const enum right rights[] = { RIGHT_SET_PIDS, RIGHT_MAP_FILES };

	for (size_t i = 0; i < ARRAY_SIZE(rights); i++) {
		CHECK(may(BIT(CAP_SYS_ADMIN), rights[i]) && may(BIT(CAP_CHECKPOINT_RESTORE), rights[i]));
		CHECK(!may(~(BIT(CAP_SYS_ADMIN) | BIT(CAP_CHECKPOINT_RESTORE)), rights[i]));
	}
}

static void the_first_missing_one_refuses(void)
{
	const struct rights rights = with(BIT(CAP_NET_RAW));

	log_set_level(LOG_SILENT);
	CHECK(!rights_need(&rights, RIGHT_RAW_SOCKETS, "a socket"));
	CHECK(rights_need(&rights, RIGHT_NET_ADMIN, "file %d", 1) == -EPERM);
	CHECK(!rights_need_all(&rights, 0, "nothing"));
	CHECK(!rights_need_all(&rights, BIT(RIGHT_RAW_SOCKETS), "a socket"));
	CHECK(rights_need_all(&rights, BIT(RIGHT_RAW_SOCKETS) | BIT(RIGHT_NET_ADMIN), "a socket") == -EPERM);
	CHECK_STR(rights_reason(&rights, RIGHT_NET_ADMIN, -ENOENT), rights_text(RIGHT_NET_ADMIN));
	CHECK_STR(rights_reason(&rights, RIGHT_RAW_SOCKETS, -ENOENT), strerror(ENOENT));
}

static int in_child(void (*check)(void))
{
	pid_t pid = fork();
	int status = -1;

	if (!pid) {
		check_why = NULL;
		check();
		if (check_why)
			fprintf(stderr, "line %d: %s\n", check_line, check_why);
		_exit(check_why != NULL);
	}
	return waitpid(pid, &status, 0) == pid ? status : -1;
}

/* All capabilities, in a user namespace other than the one that counts. */
static void in_another_user_namespace(void)
{
	CHECK(may(UINT64_MAX, RIGHT_PTRACE_ANY) && may(UINT64_MAX, RIGHT_NAMESPACES));
	CHECK(!may(UINT64_MAX, RIGHT_RAISE_LIMITS) && !may(UINT64_MAX, RIGHT_MAP_FILES));
	CHECK(!may(UINT64_MAX, RIGHT_SET_PIDS));
}

static void in_its_own_pid_namespace(void)
{
	CHECK(may(UINT64_MAX, RIGHT_SET_PIDS) && !may(UINT64_MAX, RIGHT_RAISE_LIMITS));
}

static void new_user_namespace(void)
{
	if (unshare(CLONE_NEWUSER))
		return;
	in_another_user_namespace();
	if (!unshare(CLONE_NEWPID))
		CHECK(!in_child(in_its_own_pid_namespace));
}

static void namespaces_count(void)
{
	CHECK(!in_child(new_user_namespace));
}

int main(void)
{
	RUN(every_right_is_described);
	RUN(each_capability_counts);
	RUN(one_of_two_is_enough);
	RUN(the_first_missing_one_refuses);
	RUN(namespaces_count);
	DONE();
}
