// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/ns/cgroup/properties.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "run/cg_hierarchy.h"
#include "util/fds.h"
#include "util/str.h"

/* Values longer than CRIU's 1023 bytes: many devices in one file. */
#define VALUE_SIZE (64u << 10)

struct controller {
	const char *name; /* "": every hierarchy */
	const char *const *files;
};

/* The first ones of each list are those of CRIU 4.2, in its order. */
#define FILES(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const struct controller v1[] = {
	{ "cpu", FILES("cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cpu.rt_period_us", "cpu.rt_runtime_us",
		       "cpu.cfs_burst_us", "cpu.idle", "cpu.uclamp.min", "cpu.uclamp.max") },
	{ "memory", FILES("memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "memory.swappiness",
			  "memory.soft_limit_in_bytes", "memory.move_charge_at_immigrate", "memory.oom_control",
			  "memory.use_hierarchy", "memory.kmem.limit_in_bytes", "memory.kmem.tcp.limit_in_bytes") },
	{ "cpuset",
	  FILES("cpuset.cpus", "cpuset.mems", "cpuset.memory_migrate", "cpuset.cpu_exclusive", "cpuset.mem_exclusive",
		"cpuset.mem_hardwall", "cpuset.memory_spread_page", "cpuset.memory_spread_slab",
		"cpuset.sched_load_balance", "cpuset.sched_relax_domain_level") },
	{ "blkio", FILES("blkio.weight", "blkio.bfq.weight", "blkio.bfq.weight_device",
			 "blkio.throttle.read_bps_device", "blkio.throttle.write_bps_device",
			 "blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device") },
	{ "net_cls", FILES("net_cls.classid") },
	{ "net_prio", FILES("net_prio.ifpriomap") },
	{ "pids", FILES("pids.max") },
	{ "devices", FILES("devices.list") },
	{ "hugetlb", FILES("hugetlb.*.limit_in_bytes", "hugetlb.*.rsvd.limit_in_bytes") },
	{ "rdma", FILES("rdma.max") },
	{ "misc", FILES("misc.max") },
	{ "", FILES("cgroup.clone_children", "notify_on_release", "cgroup.procs", "tasks") },
	{ "freezer", FILES("freezer.state") },
};

static const char *const v2[] = { "cgroup.subtree_control", "cgroup.max.descendants", "cgroup.max.depth",
				  "cgroup.freeze", "cgroup.type", "cgroup.pressure", "cpu.weight", "cpu.max",
				  "cpu.max.burst", "cpu.uclamp.min", "cpu.uclamp.max", "cpu.idle", "memory.min",
				  "memory.low", "memory.high", "memory.max", "memory.swap.high", "memory.swap.max",
				  "memory.zswap.max", "memory.zswap.writeback", "memory.oom.group", "io.weight",
				  "io.bfq.weight", "io.max", "io.latency", "io.prio.class", "pids.max", "cpuset.cpus",
				  "cpuset.mems", "cpuset.cpus.exclusive", "cpuset.cpus.partition", "hugetlb.*.max",
				  "rdma.max", "misc.max", "dmem.min", "dmem.low", "dmem.max",
				  /* their owners and modes: delegation */
				  "cgroup.procs", "cgroup.threads", NULL };

static int each(const char *const *files, int (*fn)(void *arg, const char *name), void *arg)
{
	int err = 0;

	for (size_t i = 0; !err && files[i]; i++)
		err = fn(arg, files[i]);
	return err;
}

static bool names(const char *names, const char *one)
{
	size_t len = strlen(one);

	for (const char *p = names; (p = strstr(p, one)); p += len)
		if ((p == names || p[-1] == ',') && (!p[len] || p[len] == ','))
			return true;
	return false;
}

int cg_each_property(const struct cg_hierarchy *h, int (*fn)(void *arg, const char *name), void *arg)
{
	int err = 0;

	if (cg_is_v2(h))
		return each(v2, fn, arg);
	for (size_t i = 0; !err && i < ARRAY_SIZE(v1); i++)
		if (!*v1[i].name || names(h->name, v1[i].name))
			err = each(v1[i].files, fn, arg);
	return err;
}

static bool is_one_of(const char *name, const char *const *list)
{
	for (; *list; list++)
		if (!strcmp(name, *list))
			return true;
	return false;
}

bool cg_is_member_list(const char *name)
{
	return is_one_of(name, FILES("cgroup.procs", "cgroup.threads", "tasks"));
}

bool cg_is_early(const char *name)
{
	return is_one_of(name, FILES("cpuset.cpus", "cpuset.mems", "devices.list", "memory.kmem.limit_in_bytes",
				     "memory.swappiness", "memory.oom_control", "memory.use_hierarchy", "cgroup.type",
				     "cgroup.subtree_control"));
}

bool cg_is_freezer(const char *name)
{
	return is_one_of(name, FILES("cgroup.freeze", "freezer.state"));
}

bool cg_is_forbidden(const char *name)
{
	return !*name || strchr(name, '/') || name[0] == '.' ||
	       is_one_of(name, FILES("cgroup.kill", "cgroup.event_control", "release_agent", "memory.force_empty",
				     "memory.reclaim", "devices.allow", "devices.deny"));
}

/* ---- values ---- */

int cg_read_property(int dir, const char *name, struct buf *ret)
{
	_cleanup_close_ int fd = open_at(dir, name, O_RDONLY | O_NOFOLLOW, 0);
	int err = fd < 0 ? fd : buf_reserve(ret, VALUE_SIZE);
	ssize_t n = 0;

	if (!err) {
		n = read_full(fd, ret->data, VALUE_SIZE);
		err = n < 0 ? (int)n : 0;
	}
	if (err)
		return err;
	ret->len = (size_t)n - (n && ret->data[n - 1] == '\n');
	ret->data[ret->len] = 0;
	if (!strcmp(name, "memory.oom_control")) {
		/* oom_kill_disable, the only one that can be written */
		const char *value = strpbrk(ret->data, "01");

		ret->data[0] = value ? *value : '0';
		ret->data[ret->len = 1] = 0;
	}
	return 0;
}

static int write_line(int dir, const char *name, const char *prefix, const char *line, size_t len)
{
	_cleanup_buf_ struct buf text = { 0 };
	int err = buf_add_str(&text, prefix);

	if (!err)
		err = buf_add(&text, line, len);
	return err ? err : write_text(dir, name, text.data ?: "");
}

/* A file that shows several lines, or words, takes them one at a time. */
static int write_each(int dir, const char *name, const char *prefix, const char *value, char separator)
{
	int err = 0;

	while (!err && *value) {
		const char separators[2] = { separator, 0 };
		size_t len = strcspn(value, separators);

		if (len)
			err = write_line(dir, name, prefix, value, len);
		value += len + (value[len] == separator);
	}
	return err;
}

static int write_value(int dir, const char *name, const char *value)
{
	int err;

	if (!strcmp(name, "devices.list")) {
		if (!strcmp(value, "a *:* rwm"))
			return 0;
		err = write_text(dir, "devices.deny", "a");
		return err ? err : write_each(dir, "devices.allow", "", value, '\n');
	}
	if (!strcmp(name, "cgroup.subtree_control"))
		return write_each(dir, name, "+", value, ' ');
	/* The other types follow from the groups around it. */
	if (!strcmp(name, "cgroup.type"))
		return strcmp(value, "threaded") ? 0 : write_text(dir, name, value);
	/* "root invalid (reason)" */
	if (!strcmp(name, "cpuset.cpus.partition"))
		return write_line(dir, name, "", value, strcspn(value, " "));
	return write_each(dir, name, "", value, '\n');
}

int cg_write_property(int dir, const char *name, const char *value)
{
	_cleanup_buf_ struct buf now = { 0 };
	int err = write_value(dir, name, value);

	/* Some cannot be set in this group, or not any more, but have the value already. */
	if (err && !cg_read_property(dir, name, &now) && !strcmp(now.data, value))
		return 0;
	return err;
}
