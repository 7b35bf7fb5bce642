// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues of devices: how many are in use (ethtool -L), which CPUs process what they receive (RPS, RFS), which one sends (XPS), limits of
 * bytes (BQL), polling (NAPI, threaded); queues of a tun device, of which each is a descriptor.
 * test: breaks=5 decode=yes
 */
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include "net_show.h"

/* Those that this kernel lacks have no file; a machine may have one CPU. threaded: only while the device polls, with GRO and up. */
static const char set_all[] =
	"put() { [ ! -e $2 ] || echo $1 >$2 || true; }; cd /proc/self/cwd/sys/class/net;"
	"put 3 lo/queues/rx-0/rps_cpus; put 128 lo/queues/rx-0/rps_flow_cnt;"
	"put 1 v0/queues/rx-0/rps_cpus; put 2 v0/queues/rx-1/rps_cpus; put 64 v0/queues/rx-1/rps_flow_cnt;"
	"put 2 v0/queues/tx-0/xps_cpus; put 2 v0/queues/tx-1/xps_rxqs; put 1 one/queues/rx-0/rps_cpus;"
	"put 5000 ifb5/queues/tx-0/byte_queue_limits/limit_max; put 100 ifb5/queues/tx-0/byte_queue_limits/limit_min;"
	"put 20 ifb5/queues/tx-0/byte_queue_limits/hold_time; put 20000 br0/gro_flush_timeout; put 3 br0/napi_defer_hard_irqs;"
	"put 30000 v1/gro_flush_timeout; put 0 fresh/queues/rx-0/rps_cpus";

static void show(const char *path)
{
	char script[1024];

	snprintf(
		script, sizeof(script),
		"root=$PWD; cd sys/class/net; grep -s '' */queues/*/rps_* */queues/*/xps_* */threaded */gro_flush_timeout "
		"*/napi_defer_hard_irqs */queues/*/byte_queue_limits/[hl]*[enx] */queues/*/byte_queue_limits/stall_thrs >$root/%s || true;"
		"ls -d */queues/* >>$root/%s; cat /proc/sys/net/core/rps_default_mask >>$root/%s 2>/dev/null || true",
		path, path, path);
	net_do(script);
}

/* ethtool -K DEVICE gro on */
static void receive_by_polling(const char *device)
{
	struct ethtool_value on = { ETHTOOL_SGRO, 1 };
	struct ifreq ifr = { .ifr_data = (void *)&on };
	int sk = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(ifr.ifr_name, device);
	need(!ioctl(sk, SIOCETHTOOL, &ifr), "GRO of %s: %m", device);
	close(sk);
}

/* A sysfs shows the devices of the namespace in which it was mounted. */
static void show_now(const char *path)
{
	net_do("umount -l sys; mount -t sysfs none sys");
	show(path);
}

/* Three descriptors of one device. -1: no such driver here. */
static int attach_queue(void)
{
	struct ifreq ifr = { .ifr_name = "many", .ifr_flags = IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	need(fd < 0 || !ioctl(fd, TUNSETIFF, &ifr), "TUNSETIFF: %m");
	return fd;
}

int main(int argc, char **argv)
{
	int brk;

	test_init(argc, argv);
	net_need_tools();
	need(!unshare(CLONE_NEWNET | CLONE_NEWNS), "unshare");
	net_do("mount --make-rprivate /; mkdir sys; mount -t sysfs none sys; ip link set lo up;"
	       "if [ -e /proc/sys/net/core/rps_default_mask ]; then echo 1 >/proc/sys/net/core/rps_default_mask; fi;"
	       "ip link add fresh type bridge;"
	       "ip link add v0 numtxqueues 2 numrxqueues 2 type veth peer name v1 numtxqueues 2 numrxqueues 2;"
	       "ip link add one type veth peer name two; ip link add ifb5 type ifb; ip link add br0 type bridge;"
	       "ip link set v0 up; ip link set v1 up; ip link set two up");
	if (attach_queue() >= 0 && attach_queue() >= 0 && attach_queue() >= 0)
		net_do("cd sys/class/net/many/queues; [ ! -e rx-2/rps_cpus ] || echo 1 >rx-2/rps_cpus; [ ! -e rx-1/rps_flow_cnt ] || echo 16 >rx-1/rps_flow_cnt");
	net_do(set_all);
	receive_by_polling("two");
	net_do("if [ -e sys/class/net/two/threaded ]; then echo 1 >sys/class/net/two/threaded || true; fi");
	show("before");

	brk = checkpoint_here();
	if (brk == 1)
		net_do("mount -t sysfs none sys; echo 32 >sys/class/net/v0/queues/rx-1/rps_flow_cnt");
	if (brk == 2)
		net_do("mount -t sysfs none sys; echo 3 >sys/class/net/v0/queues/tx-1/xps_rxqs");
	if (brk == 3)
		net_do("mount -t sysfs none sys; echo 4 >sys/class/net/br0/napi_defer_hard_irqs");
	if (brk == 4)
		net_do("mount -t sysfs none sys; echo 1 >sys/class/net/fresh/queues/rx-0/rps_flow_cnt");
	if (brk == 5)
		net_do("mount -t sysfs none sys; echo 32 >sys/class/net/many/queues/rx-1/rps_flow_cnt");

	show_now("now");
	net_do("diff before now >&2");
	test_done();
}
