// SPDX-License-Identifier: GPL-2.0-only
/* Parsers on text: what the kernel writes, and what it never writes. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/bits.h"
#include "kernel/device.h"
#include "kernel/fdinfo.h"
#include "kernel/locks.h"
#include "kernel/maps.h"
#include "kernel/mountinfo.h"
#include "kernel/nodes.h"
#include "kernel/proc_pid.h"
#include "util_check.h"

#define TEXT(s) s, sizeof(s) - 1

static void stat_of_a_nasty_name(void)
{
	struct proc_stat st = { .pid = 77 };
	static const char text[] =
		"5408 (a) R (b\n) S 5392 5391 5390 34816 -1 4194304 98 0 0 0 3 4 0 0 -20 -5 7 0 117747 3133440 394 "
		"18446744073709551615 94040925802496 94040925822377 140721833442704 0 0 0 0 0 0 0 0 0 17 1 5 2 0 0 0 "
		"94040925838384 94040925840000 94041458524160 140721833446018 140721833446038 140721833446039 "
		"140721833447403 256\n";

	CHECK(!proc_stat_parse(TEXT(text), &st));
	CHECK_STR(st.comm, "a) R (b\n");
	CHECK(st.pid == 5408 && st.state == 'S' && st.ppid == 5392 && st.pgid == 5391 && st.sid == 5390);
	CHECK(ttynr_to_kdev(st.tty_nr) == kdev_make(136, 0) && st.tpgid == -1 && st.flags == 4194304);
	CHECK(st.utime == 3 && st.stime == 4 && st.priority == -20 && st.nice == -5 && st.threads == 7);
	CHECK(st.start_time == 117747 && st.vsize == 3133440 && st.rss == 394 && st.start_code == 94040925802496);
	CHECK(st.end_code == 94040925822377 && st.start_stack == 140721833442704 && st.exit_signal == 17);
	CHECK(st.processor == 1 && st.rt_priority == 5 && st.policy == 2 && st.start_data == 94040925838384);
	CHECK(st.start_brk == 94041458524160 && st.arg_start == 140721833446018 && st.env_end == 140721833447403);
	CHECK(st.env_start == 140721833446039 && st.exit_code == 256);
	for (size_t len = 0; len < 150; len++)
		CHECK(proc_stat_parse(text, len, &st) == -EBADMSG);
	CHECK(proc_stat_parse(TEXT("5408 (x) S 1 2 three 4"), &st) == -EBADMSG && st.pid == 5408);
}

static const char status_text[] =
	"Name:\tcat\\n\nUmask:\t0022\nState:\tT (stopped)\nTgid:\t10\nNgid:\t0\nPid:\t11\nPPid:\t9\nTracerPid:\t3\n"
	"Uid:\t0\t1\t2\t4294967295\nGid:\t5\t6\t7\t8\nFDSize:\t256\nGroups:\t4 24 4294967294 \nNStgid:\t10\t2\n"
	"NSpid:\t11\t3\nNSpgid:\t10\t2\nNSsid:\t1\t0\nKthread:\t0\nVmSize:\t    3060 kB\nVmLck:\t       4 kB\n"
	"VmRSS:\t    1668 kB\nCoreDumping:\t0\nTHP_enabled:\t1\nuntag_mask:\t0x81ffffffffffffff\nThreads:\t2\n"
	"SigQ:\t1/96365\nSigPnd:\t0000000000000001\nShdPnd:\t0000000000000002\nSigBlk:\t8000000000000000\n"
	"SigIgn:\t0000000000000004\nSigCgt:\t0000000000000008\nCapInh:\t0000000000000000\nCapPrm:\t000001fffeffffff\n"
	"CapEff:\t000001fffeffffff\nCapBnd:\t000001fffeffffff\nCapAmb:\t0000000000000010\nNoNewPrivs:\t1\n"
	"Seccomp:\t2\nSeccomp_filters:\t3\nSomething_new:\t77\nno colon here\n";

static void status_with_all_lines(void)
{
	_cleanup_proc_status_ struct proc_status st = { 0 };

	CHECK(!proc_status_parse(TEXT(status_text), &st));
	CHECK(st.untag_mask == 0x81ffffffffffffff);
	CHECK(st.state == 'T' && st.tgid == 10 && st.pid == 11 && st.ppid == 9 && st.tracer == 3 && st.umask == 022);
	CHECK(st.has_umask && st.uid[PROC_EFFECTIVE] == 1 && st.uid[PROC_FS] == UINT32_MAX && st.gid[PROC_REAL] == 5);
	CHECK(st.groups.n == 3 && st.groups.v[2] == 4294967294u && st.levels == 2 && st.nspid[1] == 3);
	CHECK(st.nstgid[1] == 2 && st.nssid[1] == 0 && st.nspgid[0] == 10 && st.kthread == 0 && st.has_mm);
	CHECK(st.vm_size_kb == 3060 && st.vm_rss_kb == 1668 && st.vm_locked_kb == 4 && st.threads == 2);
	CHECK(st.sigq_used == 1 && st.sigq_max == 96365 && st.sig_pending == 1 && st.shared_pending == 2);
	CHECK(st.sig_blocked == 1ull << 63 && st.sig_ignored == 4 && st.sig_caught == 8 && st.cap_amb == 16);
	CHECK(st.cap_eff == 0x1fffeffffff && st.no_new_privs == 1 && st.seccomp == 2 && st.seccomp_filters == 3);
	CHECK(st.fd_size == 256 && st.core_dumping == 0 && st.thp_enabled == 1 && st.untag_mask == 0x81ffffffffffffff);
}

static void status_malformed(void)
{
	struct proc_status st = { .pid = 5 };

	CHECK(proc_status_parse(TEXT(""), &st) == -EBADMSG);
	CHECK(proc_status_parse(TEXT("Groups:\t1 2 x\n"), &st) == -EBADMSG);
	CHECK(proc_status_parse(TEXT("NSpid:\t1\nNSsid:\t1\t2\n"), &st) == -EBADMSG);
	CHECK(proc_status_parse(TEXT("Uid:\t1\t2\t3\n"), &st) == -EBADMSG);
	CHECK(proc_status_parse(TEXT("SigBlk:\t10000000000000000\n"), &st) == -EBADMSG);
	CHECK(proc_status_parse(TEXT("State:\n"), &st) == -EBADMSG);
	CHECK(st.pid == 5 && !st.groups.v);
}

static void timers_of_each_type(void)
{
	struct proc_timers t = { 0 };

	CHECK(!proc_timers_parse(TEXT("ID: 0\nsignal: 14/00007ffc12345678\nnotify: signal/tid.1234\nClockID: 0\n"
				      "ID: 5\nsignal: 0/0000000000000000\nnotify: none/pid.99\nClockID: -6\n"
				      "ID: 6\nsignal: 34/          (null)\nnotify: thread/tid.7\nClockID: 7\nnew: 1\n"),
				 &t));
	CHECK(t.n == 3 && t.v[0].signal == 14 && t.v[0].sigval == 0x7ffc12345678 && t.v[0].to_thread);
	CHECK(t.v[0].notify == SIGEV_SIGNAL && t.v[0].target == 1234 && t.v[1].id == 5 && t.v[1].notify == SIGEV_NONE);
	CHECK(!t.v[1].to_thread && t.v[1].clock == -6 && t.v[2].notify == SIGEV_THREAD && !t.v[2].sigval);
	array_free(&t);
	CHECK(proc_timers_parse(TEXT("signal: 14/0\n"), &t) == -EBADMSG);
	CHECK(proc_timers_parse(TEXT("ID: 1\nnotify: often/pid.1\n"), &t) == -EBADMSG);
	array_free(&t);
	CHECK(!proc_timers_parse(TEXT(""), &t) && !t.n);
}

static void small_texts(void)
{
	struct proc_cgroups c;
	struct proc_timens tn;

	CHECK(!proc_cgroups_parse(TEXT("9:name=systemd:/\n4:cpu,cpuacct:/a:b/c\n0::/x\n"), &c));
	CHECK(c.n == 3 && c.v[1].hierarchy == 4 && c.v[2].hierarchy == 0);
	CHECK_STR(c.v[0].controllers, "name=systemd");
	CHECK_STR(c.v[1].path, "/a:b/c");
	CHECK_STR(c.v[2].controllers, "");
	CHECK_STR(c.v[2].path, "/x");
	proc_cgroups_free(&c);
	CHECK(proc_cgroups_parse(TEXT("0:\n"), &c) == -EBADMSG && proc_cgroups_parse(TEXT("x\n"), &c) == -EBADMSG);
	CHECK(!proc_timens_parse(TEXT("monotonic        -10        20\nboottime            3         4\n"), &tn));
	CHECK(tn.mono_sec == -10 && tn.mono_nsec == 20 && tn.boot_sec == 3 && tn.boot_nsec == 4);
	CHECK(proc_timens_parse(TEXT("monotonic 1 2\n"), &tn) == -EBADMSG);
}

static void node_masks(void)
{
	uint64_t nodes[NODES_MAX / 64];

	CHECK(!nodes_parse(TEXT("00000000,00000001"), nodes) && nodes[0] == 1 && !nodes[1]);
	CHECK(!nodes_parse(TEXT("1,80000000,000000f0"), nodes) && nodes[0] == 0x80000000000000f0 && nodes[1] == 1);
	CHECK(!nodes_parse(TEXT("3"), nodes) && nodes[0] == 3);
	CHECK(nodes_parse(TEXT(""), nodes) == -EBADMSG && nodes_parse(TEXT("0,1"), nodes) == -EBADMSG);
	CHECK(nodes_parse(TEXT("0-3"), nodes) == -EBADMSG && nodes_parse(TEXT("0000,0001"), nodes) == -EBADMSG);
}

static void maps_of_each_type(void)
{
	_cleanup_maps_ struct maps m = { 0 };
	static const char text[] =
		"00400000-00401000 r--p 00000000 fe:01 393                                /usr/bin/a b (x)\n"
		"00401000-00402000 rwxs 00003000 00:1f 18446744073709551615               /tmp/gone (deleted)\n"
		"7f0000000000-7f0000001000 ---p 00000000 00:00 0 \n"
		"7f0000001000-7f0000002000 rw-p 00000000 00:00 0                          [anon:my heap (deleted)]\n"
		"7f0000003000-7f0000004000 rw-s 00000000 00:01 5                          /dev/zero (deleted)\n"
		"7f0000004000-7f0000005000 rw-p 00000000 00:01 6                          /a\\012b\\040c\n"
		"7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0                          [stack]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n";

	CHECK(!maps_parse(TEXT(text), &m) && m.n == 8);
	CHECK(m.v[0].start == 0x400000 && m.v[0].end == 0x401000 && m.v[0].prot == PROT_READ && !m.v[0].shared);
	CHECK(m.v[0].dev_major == 0xfe && m.v[0].dev_minor == 1 && m.v[0].ino == 393 && !m.v[0].deleted);
	CHECK_STR(m.v[0].name, "/usr/bin/a b (x)");
	CHECK(m.v[1].prot == 7 && m.v[1].shared && m.v[1].pgoff == 0x3000 && m.v[1].deleted &&
	      m.v[1].ino == UINT64_MAX);
	CHECK_STR(m.v[1].name, "/tmp/gone");
	CHECK(m.v[2].prot == 0);
	CHECK_STR(m.v[2].name, "");
	CHECK(!m.v[3].deleted);
	CHECK_STR(m.v[3].name, "[anon:my heap (deleted)]");
	CHECK_STR(m.v[5].name, "/a\nb\\040c");
	CHECK(maps_find(&m, 0x401fff) == &m.v[1] && maps_find(&m, 0x402000) == NULL && maps_find(&m, 0) == NULL);
	CHECK(maps_find(&m, UINT64_MAX) == NULL && maps_find(&m, 0x7f0000000000) == &m.v[2]);
	char name[MAP_FILES_NAME];
	map_files_name(&m.v[0], name);
	CHECK_STR(name, "400000-401000");
	/* No truncation is read beyond its end; one inside a line is refused or gives a shorter name. */
	for (size_t len = 0; len < sizeof(text); len++) {
		struct maps part = { 0 };
		char *copy = malloc(len + 1);
		memcpy(copy, text, len);
		if (!maps_parse(copy, len, &part))
			maps_free(&part);
		free(copy);
	}
}

static void maps_malformed(void)
{
	struct maps m;

	CHECK(maps_parse(TEXT("00402000-00401000 r--p 00000000 fe:01 393 /a\n"), &m) == -EBADMSG);
	CHECK(maps_parse(TEXT("00401000-00402001 r--p 00000000 fe:01 393 /a\n"), &m) == -EBADMSG);
	CHECK(maps_parse(TEXT("00401000-00402000 q--p 00000000 fe:01 393 /a\n"), &m) == -EBADMSG);
	CHECK(maps_parse(TEXT("00401000-00402000 r--p 00000000 fe:01\n"), &m) == -EBADMSG);
	CHECK(maps_parse(TEXT("00401000-00403000 r--p 00000000 fe:01 1\n00402000-00404000 r--p 00000000 fe:01 1\n"),
			 &m) == -EBADMSG);
	CHECK(maps_parse(TEXT("\n"), &m) == -EBADMSG);
	CHECK(!maps_parse(TEXT(""), &m) && !m.n);
	maps_free(&m);
}

static void smaps_flags(void)
{
	struct vma_flags_array f = { 0 };
	static const char text[] =
		"00400000-00401000 r--p 00000000 fe:01 393                                /usr/bin/a\n"
		"Size:                  4 kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\n"
		"Rss:                   8 kB\nPss:                   3 kB\nPss_Dirty:             1 kB\n"
		"Shared_Clean:          4 kB\nAnonHugePages:      2048 kB\nSwap:                 12 kB\nSwapPss:               1 kB\n"
		"Locked:               16 kB\nTHPeligible:           0\nProtectionKey:         5\n"
		"VmFlags: rd mr mw me dw sd zz sl q1 \n"
		"00401000-00402000 rwxp 00001000 fe:01 393                                /usr/bin/a\n"
		"VmFlags: wr rd\n";

	CHECK(!smaps_parse(TEXT(text), &f) && f.n == 2);
	CHECK(f.v[0].start == 0x400000 && f.v[0].page_kb == 4 && f.v[0].rss_kb == 8 && f.v[0].pss_kb == 3);
	CHECK(f.v[0].swap_kb == 12 && f.v[0].locked_kb == 16 && f.v[0].thp_kb == 2048 && f.v[0].pkey == 5);
	CHECK(f.v[0].flags ==
	      (BIT(VMF_RD) | BIT(VMF_MR) | BIT(VMF_MW) | BIT(VMF_ME) | BIT(VMF_DW) | BIT(VMF_SD) | BIT(VMF_SL)));
	CHECK_STR(f.v[0].unknown, "zz q1");
	CHECK(f.v[1].flags == (BIT(VMF_RD) | BIT(VMF_WR)) && f.v[1].pkey == -1 && !f.v[1].unknown[0]);
	array_free(&f);
	CHECK(smaps_parse(TEXT("Rss: 4 kB\n"), &f) == -EBADMSG && smaps_parse(TEXT("0040 r\n"), &f) == -EBADMSG);
	array_free(&f);
}

static void fdinfo_of_each_type(void)
{
	_cleanup_fdinfo_ struct fdinfo f = { 0 };
	static const char text[] =
		"pos:\t-7\nflags:\t02004002\nmnt_id:\t24\nino:\t3\n"
		"lock:\t1: FLOCK  ADVISORY  WRITE 359 00:13:11691 0 EOF\n"
		"eventfd-count:               1f\neventfd-id: 4\neventfd-semaphore: 1\n"
		"tfd:        5 events:       19 data:  8000000000000005  pos:0 ino:8ab sdev:d\n"
		"tfd:        6 events: 80000001 data:                6\n"
		"sigmask:\t8000000000000006\n"
		"clockid: 7\nticks: 2\nsettime flags: 03\nit_value: (1, 49406829)\nit_interval: (3, 4)\n"
		"inotify wd:1f ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8 fhandle-type:1 "
		"f_handle:7e9e0000640d1b6d\n"
		"fanotify flags:10 event-flags:8002\n"
		"fanotify mnt_id:12 mflags:0 mask:38 ignored_mask:40000000\n"
		"fanotify ino:4f969 sdev:800013 mflags:40 mask:3b ignored_mask:40000000 fhandle-bytes:2 fhandle-type:81 "
		"f_handle:69ff\n"
		"fanotify sdev:800013 mflags:0 mask:1 ignored_mask:0\n"
		"fanotify mnt_ns:4026531832 mflags:0 mask:3000000 ignored_mask:0\n"
		"Pid:\t-1\nNSpid:\t12\t1\ntty-index:\t6\nscm_fds: 2\npending:\t1\ntotal:\t2\nAPI:\taa:80008000:1ffff\n"
		"prog_type:\t1\n";
	const struct fdinfo_item *i;

	CHECK(!fdinfo_parse(TEXT(text), &f));
	CHECK(f.pos == -7 && f.flags == 02004002 && f.mnt_id == 24 && f.has_ino && f.ino == 3 && f.n == 16);
	CHECK_STR(f.other.data, "prog_type:\t1\n");
	i = fdinfo_find(&f, FDINFO_LOCK);
	CHECK(i && i->lock.kind == LOCK_KIND_FLOCK && i->lock.ino == 11691 && i->lock.dev_minor == 0x13);
	i = fdinfo_find(&f, FDINFO_EVENTFD);
	CHECK(i && i->eventfd.count == 0x1f && i->eventfd.id == 4 && i->eventfd.semaphore == 1);
	i = fdinfo_find(&f, FDINFO_EPOLL_TFD);
	CHECK(i && i->epoll.fd == 5 && i->epoll.events == 0x19 && i->epoll.data == 0x8000000000000005);
	CHECK(i->epoll.has_file && i->epoll.ino == 0x8ab && i->epoll.sdev == 0xd);
	CHECK(i[1].epoll.fd == 6 && i[1].epoll.events == 0x80000001 && !i[1].epoll.has_file);
	CHECK(fdinfo_find(&f, FDINFO_SIGNALFD)->signal_mask == 0x8000000000000006);
	i = fdinfo_find(&f, FDINFO_TIMERFD);
	CHECK(i && i->timerfd.clock == 7 && i->timerfd.ticks == 2 && i->timerfd.settime_flags == 3);
	CHECK(i->timerfd.value_sec == 1 && i->timerfd.value_nsec == 49406829 && i->timerfd.interval_nsec == 4);
	i = fdinfo_find(&f, FDINFO_INOTIFY_WD);
	CHECK(i && i->inotify.wd == 0x1f && i->inotify.mask == 0x800afce && i->inotify.has_handle);
	CHECK(i->inotify.handle.bytes == 8 && i->inotify.handle.type == 1 && i->inotify.handle.f_handle[7] == 0x6d);
	i = fdinfo_find(&f, FDINFO_FANOTIFY_INIT);
	CHECK(i && i->fanotify_init.flags == 0x10 && i->fanotify_init.event_flags == 0x8002);
	i = fdinfo_find(&f, FDINFO_FANOTIFY_MOUNT);
	CHECK(i && i->fanotify.mnt_id == 0x12 && i->fanotify.mask == 0x38 && !i->fanotify.has_handle);
	i = fdinfo_find(&f, FDINFO_FANOTIFY_INODE);
	CHECK(i && i->fanotify.ino == 0x4f969 && i->fanotify.handle.f_handle[1] == 0xff && i->fanotify.mflags == 0x40);
	CHECK(fdinfo_find(&f, FDINFO_FANOTIFY_SB)->fanotify.sdev == 0x800013);
	i = fdinfo_find(&f, FDINFO_FANOTIFY_MNTNS);
	CHECK(i && i->fanotify.mnt_id == 4026531832u && i->fanotify.mask == 0x3000000);
	i = fdinfo_find(&f, FDINFO_PIDFD);
	CHECK(i && i->pidfd.pid == -1 && i->pidfd.levels == 2 && i->pidfd.nspid[1] == 1);
	CHECK(fdinfo_find(&f, FDINFO_TTY_INDEX)->tty_index == 6 && fdinfo_find(&f, FDINFO_SCM_FDS)->scm_fds == 2);
	i = fdinfo_find(&f, FDINFO_UFFD);
	CHECK(i && i->uffd.pending == 1 && i->uffd.total == 2 && i->uffd.features == 0x80008000 &&
	      i->uffd.known == 0x1ffff);
}

static void fdinfo_malformed(void)
{
	static const char *const bad[] = {
		"pos:\tx\n",
		"flags:\t9\n",
		"flags:\t777777777777\n",
		"eventfd-count: \n",
		"tfd: 5 events: 1\n",
		"tfd: 5 events: 1 data: 2 pos:0\n",
		"it_value: (1 2)\n",
		"inotify wd:1 ino:2 sdev:3\n",
		"inotify wd:1 ino:2 sdev:3 mask:4 ignored_mask:0 fhandle-bytes:ff fhandle-type:1 f_handle:00\n",
		"inotify wd:1 ino:2 sdev:3 mask:4 ignored_mask:0 fhandle-bytes:2 fhandle-type:1 f_handle:000\n",
		"inotify wd:1 ino:2 sdev:3 mask:4 ignored_mask:0 fhandle-bytes:2 fhandle-type:1 f_handle:00zz\n",
		"fanotify what:1\n",
		"NSpid:\t\n",
		"lock:\tx\n",
		"tty-index:\t-1\n",
		"API:\taa\n",
	};
	struct fdinfo f = { .mnt_id = 9 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(fdinfo_parse(bad[i], strlen(bad[i]), &f) == -EBADMSG);
	CHECK(f.mnt_id == 9);
}

static void mounts(void)
{
	_cleanup_mountinfo_ struct mountinfo m = { 0 };

	CHECK(!mountinfo_parse(
		TEXT("36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"
		     "37 36 0:22 / /sys rw - sysfs  rw\n"
		     "38 36 0:23 / /p rw shared:2 master:3 propagate_from:4 unbindable new:5 - fuse.a\\011b none ro"),
		&m));
	CHECK(m.n == 3 && m.v[0].mnt_id == 36 && m.v[0].parent_id == 35 && m.v[0].dev_major == 98 &&
	      m.v[0].master_id == 1);
	CHECK_STR(m.v[0].root, "/mnt1");
	CHECK_STR(m.v[0].mountpoint, "/mnt 2\\x");
	CHECK_STR(m.v[0].options, "rw,noatime");
	CHECK_STR(m.v[0].fstype, "ext3");
	CHECK_STR(m.v[0].source, "/dev/root");
	CHECK_STR(m.v[0].sb_options, "rw,errors=continue");
	CHECK_STR(m.v[1].source, "");
	CHECK_STR(m.v[1].sb_options, "rw");
	CHECK(m.v[2].shared_id == 2 && m.v[2].master_id == 3 && m.v[2].propagate_from == 4 && m.v[2].unbindable);
	CHECK_STR(m.v[2].fstype, "fuse.a\tb");
	CHECK_STR(m.v[2].sb_options, "ro");
	CHECK(mountinfo_find(&m, 37) == &m.v[1] && !mountinfo_find(&m, 1));
	struct mountinfo bad;
	CHECK(mountinfo_parse(TEXT("36 35 98:0 /a /b rw ext3 /dev/root rw\n"), &bad) == -EBADMSG);
	CHECK(mountinfo_parse(TEXT("36 35 98 /a /b rw - ext3 /dev/root rw\n"), &bad) == -EBADMSG);
	CHECK(mountinfo_parse(TEXT("\n"), &bad) == -EBADMSG);
}

static void locks(void)
{
	struct file_locks l = { 0 };

	CHECK(!locks_parse(
		TEXT("1: POSIX  ADVISORY  WRITE 3568 fd:00:2531452 100 200\n1: -> POSIX  ADVISORY  READ 7 fd:00:2531452 0 EOF\n"
		     "2: OFDLCK ADVISORY  READ -1 00:1f:12 5 5\n3: LEASE  BREAKING  READ 9 fd:00:1 0 EOF\n"
		     "4: FLOCK  ADVISORY  WRITE 0 <none>:0 0 EOF\n5: DELEG  ACTIVE    UNLCK 2 fd:00:3 0 EOF\n"),
		&l));
	CHECK(l.n == 6 && l.v[0].kind == LOCK_KIND_POSIX && l.v[0].pid == 3568 && l.v[0].start == 100 &&
	      l.v[0].end == 200);
	CHECK(l.v[0].dev_major == 0xfd && l.v[0].ino == 2531452 && l.v[0].type == LOCK_TYPE_WRITE && !l.v[0].blocked);
	CHECK(l.v[1].blocked && l.v[1].id == 1 && l.v[1].type == LOCK_TYPE_READ && l.v[1].end == INT64_MAX);
	CHECK(l.v[2].kind == LOCK_KIND_OFD && l.v[2].pid == -1 && l.v[3].kind == LOCK_KIND_LEASE && l.v[3].breaking);
	CHECK(!l.v[4].has_inode && l.v[5].kind == LOCK_KIND_DELEG && l.v[5].type == LOCK_TYPE_NONE);
	array_free(&l);
	CHECK(locks_parse(TEXT("1: POSIX ADVISORY WRITE 3568 fd:00 0 EOF\n"), &l) == -EBADMSG);
	CHECK(locks_parse(TEXT("1: POSIX ADVISORY WRITE\n"), &l) == -EBADMSG);
	array_free(&l);
}

static void device_numbers(void)
{
	CHECK(kdev_major(kdev_make(8, 19)) == 8 && kdev_minor(kdev_make(8, 19)) == 19 && kdev_make(8, 19) == 0x800013);
	CHECK(kdev_to_dev(0x800013) == makedev(8, 19) && dev_to_kdev(makedev(253, 70000)) == kdev_make(253, 70000));
	CHECK(ttynr_to_kdev(0x8801) == kdev_make(136, 1) && ttynr_to_kdev(0x108805) == kdev_make(136, 261));
}

/* A hundred thousand VMAs: a second would be far too long, about ten milliseconds are right. */
static void maps_are_parsed_fast(void)
{
	_cleanup_buf_ struct buf b = { 0 };
	_cleanup_maps_ struct maps m = { 0 };

	for (unsigned int i = 0; i < 100000; i++)
		CHECK(!buf_printf(
			&b, "%x-%x rw-p 00000000 fe:01 %u                                /usr/lib/libsome.so.%u\n",
			0x10000000 + i * 0x2000, 0x10001000 + i * 0x2000, i, i));
	CHECK(!maps_parse(b.data, b.len, &m) && m.n == 100000);
}

int main(void)
{
	RUN(stat_of_a_nasty_name);
	RUN(status_with_all_lines);
	RUN(status_malformed);
	RUN(timers_of_each_type);
	RUN(small_texts);
	RUN(node_masks);
	RUN(maps_of_each_type);
	RUN(maps_malformed);
	RUN(smaps_flags);
	RUN(fdinfo_of_each_type);
	RUN(fdinfo_malformed);
	RUN(mounts);
	RUN(locks);
	RUN(device_numbers);
	RUN(maps_are_parsed_fast);
	DONE();
}
