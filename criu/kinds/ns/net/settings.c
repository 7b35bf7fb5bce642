// SPDX-License-Identifier: GPL-2.0-only
/*
 * Settings of devices and of their queues for which there are only files in /sys/class/net/NAME: which CPUs process received
 * packets, and which queue sends (RPS, RFS, XPS), limits of bytes in queues (BQL), polling (NAPI). Images have those that differ from
 * a new device's. Not: tx_maxrate, which no virtual device has; how a single queue is chosen.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <netlink/attr.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "attributes.h"
#include "base/bits.h"
#include "base/cleanup.h"
#include "internal.h"
#include "kernel/net_ns.h"
#include "util/fds.h"
#include "util/log.h"
#include "util/str.h"

#define BQL "byte_queue_limits/"
#define PATH_ROOM 96

enum { OF_DEVICE, OF_RX, OF_TX };
static const char *const dirs[] = { "", "queues/rx-", "queues/tx-" };

struct setting {
	unsigned char of;
	bool of_many; /* only where there are several such queues */
	bool is_cpus; /* a mask of CPUs; of the machine of the dump */
	bool needs_napi; /* the kernel refuses it for a device that has nothing to poll, as it is down */
	const char *file;
	const char *of_new; /* NULL: a mask without a bit */
};

/* If the kernel lacks the first of those in a directory of their own, it lacks all of them. */
static const struct setting settings[] = {
	{ OF_RX, .file = "rps_cpus", .is_cpus = true },
	{ OF_RX, .file = "rps_flow_cnt", .of_new = "0" },
	{ OF_TX, .file = "xps_cpus", .of_many = true, .is_cpus = true },
	{ OF_TX, .file = "xps_rxqs", .of_many = true },
	{ OF_TX, .file = BQL "limit_max", .of_new = "1879048192" },
	{ OF_TX, .file = BQL "limit_min", .of_new = "0" },
	{ OF_TX, .file = BQL "hold_time", .of_new = "1000" },
	{ OF_TX, .file = BQL "stall_thrs", .of_new = "0" },
	{ OF_DEVICE, .file = "napi_defer_hard_irqs", .of_new = "0" },
	{ OF_DEVICE, .file = "gro_flush_timeout", .of_new = "0" },
	{ OF_DEVICE, .file = "threaded", .of_new = "0", .needs_napi = true },
};

static bool is_of_new(const struct setting *setting, const char *value)
{
	return setting->of_new ? str_eq(setting->of_new, value) : !value[strspn(value, "0,")];
}

static int set_path(char path[PATH_ROOM], const struct setting *setting, uint32_t queue)
{
	if (setting->of == OF_DEVICE)
		return str_format(path, PATH_ROOM, "%s", setting->file);
	return str_format(path, PATH_ROOM, "%s%u/%s", dirs[setting->of], queue, setting->file);
}

/* ---- dump ---- */

struct queues {
	struct dump *dump;
	const struct ns *ns;
	NetDeviceEntry *entry;
	int device; /* its directory */
	size_t room; /* in entry->settings */
};

static int read_value(int dir, const char *path, struct buf *ret)
{
	int err;

	ret->len = 0;
	err = read_record(dir, path, ret);
	if (!err)
		err = buf_reserve(ret, 1);
	if (err)
		return err;
	while (ret->len && ret->data[ret->len - 1] == '\n')
		ret->len--;
	ret->data[ret->len] = '\0';
	return 0;
}

static int add(struct queues *q, const char *path, const char *value)
{
	NetDeviceEntry *entry = q->entry;
	NetSysctl **v = entry->settings, *setting = dump_alloc(q->dump, sizeof(*setting));

	if (entry->n_settings == q->room) {
		q->room = 2 * q->room + 8;
		v = dump_alloc(q->dump, q->room * sizeof(*v));
		if (v && entry->n_settings)
			memcpy(v, entry->settings, entry->n_settings * sizeof(*v));
	}
	if (!setting || !v)
		return -ENOMEM;
	net_sysctl__init(setting);
	setting->path = dump_strdup(q->dump, path);
	setting->value = dump_strdup(q->dump, value);
	entry->settings = v;
	entry->settings[entry->n_settings++] = setting;
	return setting->path && setting->value ? 0 : -ENOMEM;
}

/* Whether the kernel would not take it: writing it once more shows that. A running tree might change it meanwhile. */
static bool is_fixed(const struct queues *q, const char *path, const char *value)
{
	if (dump_is_check(q->dump))
		return q->entry->type == ND_TYPE__VETH && !(q->entry->flags & IFF_UP);
	return write_text(q->device, path, value) == -EOPNOTSUPP;
}

static void refuse_if_fixed(struct queues *q, const struct setting *setting, const char *path, const char *value)
{
	if (!setting->needs_napi || !is_fixed(q, path, value))
		return;
	dump_blocker(
		q->dump, q->ns->member ? dump_task_of(q->ns->member) : NULL, -1,
		"network namespace %u: device %s: its setting %s (%s) could not be restored, as the device polls nothing now: set it "
		"up (ip link set %s up), or echo 0 >/sys/class/net/%s/%s",
		q->ns->id, q->entry->name, path, value, q->entry->name, q->entry->name, path);
}

static int save_value(struct queues *q, const struct setting *setting, uint32_t queue, const char *value)
{
	char path[PATH_ROOM];
	int err;

	if (is_of_new(setting, value))
		return 0;
	err = set_path(path, setting, queue);
	if (!err)
		err = add(q, path, value);
	if (!err)
		refuse_if_fixed(q, setting, path, value);
	return err;
}

static bool is_bql(const struct setting *setting)
{
	return str_has_prefix(setting->file, BQL);
}

/* @dir: of the queue, or of the device */
static int save_files(struct queues *q, int dir, unsigned of, uint32_t queue, bool many)
{
	_cleanup_buf_ struct buf text = { 0 };
	bool has_limits = true;
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(settings); i++) {
		const struct setting *setting = &settings[i];

		if (setting->of != of || (setting->of_many && !many) || (!has_limits && is_bql(setting)))
			continue;
		err = read_value(dir, setting->file, &text);
		if (!err) {
			err = save_value(q, setting, queue, text.data);
			continue;
		}
		/* This kernel, or this device, does not have it. */
		if (err != -ENOENT && err != -EOPNOTSUPP)
			return fail(err, "read %s%s of network device %s", of ? "queues/*/" : "", setting->file,
				    q->entry->name);
		has_limits &= !is_bql(setting);
		err = 0;
	}
	return err;
}

/* Of those that the device could have, the first ones are in use. */
static int save_queues(struct queues *q, unsigned of)
{
	const struct nlattr *attr = net_find_attribute(q->entry, of == OF_RX ? IFLA_NUM_RX_QUEUES : IFLA_NUM_TX_QUEUES);
	const uint32_t nr = attr && nla_len(attr) >= (int)sizeof(uint32_t) ? nla_get_u32((struct nlattr *)attr) : 1;
	int err = 0;

	for (uint32_t i = 0; !err && i < nr; i++) {
		_cleanup_close_ int dir = open_fmt(q->device, O_PATH | O_DIRECTORY, "%s%u", dirs[of], i);

		if (dir == -ENOENT)
			return 0;
		err = dir < 0 ? fail(dir, "open %s%u of network device %s", dirs[of], i, q->entry->name) :
				save_files(q, dir, of, i, nr > 1);
	}
	return err;
}

int net_settings_open(int *ret_devices)
{
	int dir = net_ns_open_devices();

	*ret_devices = dir;
	/* A kernel without sysfs has none of them. */
	if (dir >= 0 || dir == -ENODEV)
		return 0;
	if (dir != -EPERM)
		return fail(dir, "mount a sysfs");
	log_warn(
		"settings of network devices in /sys/class/net (RPS, XPS, NAPI) are not saved: a sysfs may not be mounted here");
	return 0;
}

int net_settings_save(struct dump *dump, const struct ns *ns, int devices, NetDeviceEntry *entry)
{
	_cleanup_close_ int dir = devices < 0 ? -1 : open_at(devices, entry->name, O_PATH | O_DIRECTORY, 0);
	struct queues q = { .dump = dump, .ns = ns, .entry = entry, .device = dir };
	int err;

	if (devices < 0)
		return 0;
	if (dir < 0)
		return dir == -ENOENT ? -ENODEV : fail(dir, "settings of network device %s", entry->name);
	err = save_queues(&q, OF_RX);
	if (!err)
		err = save_queues(&q, OF_TX);
	return err ? err : save_files(&q, dir, OF_DEVICE, 0, true);
}

/* ---- restore ---- */

static const struct setting *find_setting(const char *path)
{
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		const struct setting *setting = &settings[i];
		const char *rest = path + strlen(dirs[setting->of]);
		size_t digits;

		if (!str_has_prefix(path, dirs[setting->of]))
			continue;
		digits = setting->of ? strspn(rest, "0123456789") : 0;
		if (setting->of && (!digits || digits > 5 || rest[digits++] != '/'))
			continue;
		if (str_eq(rest + digits, setting->file))
			return setting;
	}
	return NULL;
}

bool net_settings_are_valid(const NetDeviceEntry *entry)
{
	for (size_t i = 0; i < entry->n_settings; i++)
		if (!find_setting(entry->settings[i]->path) || !*entry->settings[i]->value)
			return false;
	return true;
}

static int failed(const struct restore *r, const NetDeviceEntry *entry, const NetSysctl *s, int err)
{
	if (find_setting(s->path)->is_cpus && (err == -EOVERFLOW || err == -EINVAL)) {
		log_warn("network device %s: %s is not set to %s: this machine does not have, or allow, these CPUs",
			 entry->name, s->path, s->value);
		return 0;
	}
	if (r->opts->weak_sysctls) {
		log_warn("network device %s: %s cannot be set to %s: errno %d", entry->name, s->path, s->value, -err);
		return 0;
	}
	return fail(err, "network device %s: set %s to %s (--weak-sysctls ignores that)", entry->name, s->path,
		    s->value);
}

/* A tun device has a queue for each descriptor that is attached; all but the first are attached later. */
static bool has_queue_later(const NetDeviceEntry *entry, const NetSysctl *s)
{
	return entry->type == ND_TYPE__TUN && find_setting(s->path)->of;
}

static int fill_device(const struct restore *r, struct net_state *state, const NetDeviceEntry *entry, bool polls)
{
	_cleanup_close_ int dir = open_at(state->devices_dir, entry->name, O_PATH | O_DIRECTORY, 0);
	int err = dir < 0 ? fail(dir, "settings of network device %s", entry->name) : 0;

	for (size_t i = 0; !err && i < entry->n_settings; i++) {
		const NetSysctl *s = entry->settings[i];
		int written;

		if (find_setting(s->path)->needs_napi != polls)
			continue;
		written = write_text(dir, s->path, s->value);
		/* Any other failure would be reported again then. */
		if (written && has_queue_later(entry, s))
			state->queues_come_later = true;
		else if (written)
			err = failed(r, entry, s, written);
	}
	return err;
}

static bool has_settings(const struct net_device *device)
{
	return device->entry->n_settings && !device->left_out;
}

static int fill_all(const struct restore *r, struct net_state *state, bool polls)
{
	int err = 0;

	for (size_t i = 0; !err && i < state->nr_devices; i++)
		if (has_settings(&state->devices[i]))
			err = fill_device(r, state, state->devices[i].entry, polls);
	return err;
}

int net_settings_fill(struct restore *r, struct net_state *state)
{
	bool any = false;

	for (size_t i = 0; i < state->nr_devices; i++)
		any |= has_settings(&state->devices[i]);
	if (!any)
		return 0;
	state->devices_dir = net_ns_open_devices();
	if (state->devices_dir < 0 && r->opts->weak_sysctls) {
		log_warn("settings of network devices are not restored: no sysfs can be mounted: errno %d",
			 -state->devices_dir);
		return 0;
	}
	if (state->devices_dir < 0)
		return fail(state->devices_dir, "mount a sysfs, for the settings of network devices");
	return fill_all(r, state, false);
}

int net_settings_fill_polling(struct restore *r, struct net_state *state)
{
	return state->devices_dir < 0 ? 0 : fill_all(r, state, true);
}

static int fill_later_queues(const struct restore *r, int devices, const NetDeviceEntry *entry)
{
	_cleanup_close_ int dir = open_at(devices, entry->name, O_PATH | O_DIRECTORY, 0);
	int err = dir < 0 ? fail(dir, "settings of network device %s", entry->name) : 0;

	for (size_t i = 0; !err && i < entry->n_settings; i++) {
		const NetSysctl *s = entry->settings[i];
		const int written = has_queue_later(entry, s) ? write_text(dir, s->path, s->value) : 0;

		err = written ? failed(r, entry, s, written) : 0;
	}
	return err;
}

int net_settings_fill_later(struct restore *r, struct net_state *state)
{
	_cleanup_close_ int devices = -1;
	int err = 0;

	if (!state->queues_come_later)
		return 0;
	devices = net_ns_open_devices();
	if (devices < 0)
		return fail(devices, "mount a sysfs, for the settings of network devices");
	for (size_t i = 0; !err && i < state->nr_devices; i++)
		if (has_settings(&state->devices[i]) && state->devices[i].entry->type == ND_TYPE__TUN)
			err = fill_later_queues(r, devices, state->devices[i].entry);
	return err;
}

void net_settings_close(struct net_state *state)
{
	if (state->devices_dir >= 0)
		close(state->devices_dir);
	state->devices_dir = -1;
}
