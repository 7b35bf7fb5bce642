// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory policies (set_mempolicy, mbind): of each thread, of private, shared, SysV and file mappings, in all modes;
 * many of them; of memory that a child inherits; mappings without a policy in a thread with one. A machine with one
 * node is sufficient.
 * test: breaks=6
 */
#include "checkpoint.h"
#include <linux/mempolicy.h>
#include <pthread.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#define PAGE 4096UL
#define BITS 1024UL
#define NODES (BITS / 64)
#define WEIGHTED 6 /* MPOL_WEIGHTED_INTERLEAVE: Linux 6.9 */
#define MANY 40

struct policy {
	int mode;
	unsigned long nodes[NODES];
};

static const int modes[] = { MPOL_PREFERRED,
			     MPOL_BIND,
			     MPOL_INTERLEAVE,
			     MPOL_LOCAL,
			     MPOL_PREFERRED_MANY,
			     WEIGHTED,
			     MPOL_BIND | MPOL_F_STATIC_NODES,
			     MPOL_INTERLEAVE | MPOL_F_RELATIVE_NODES };
#define MODES ((int)(sizeof(modes) / sizeof(modes[0])))

/* Node 0 always exists; for relative and static node masks the kernel keeps missing nodes as well. */
static const unsigned long *nodes_for(int mode, unsigned long mask[NODES + 1])
{
	memset(mask, 0, (NODES + 1) * sizeof(*mask));
	mask[0] = mode & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES) ? 5 : 1;
	return mode == MPOL_LOCAL || mode == MPOL_DEFAULT ? NULL : mask;
}

static struct policy query_policy(const void *at)
{
	struct policy p = { .mode = -1 };

	need(!syscall(SYS_get_mempolicy, &p.mode, p.nodes, BITS, at, at ? MPOL_F_ADDR : 0), "get_mempolicy %p: %m", at);
	return p;
}

static void bind_to(void *at, size_t len, int mode)
{
	unsigned long mask[NODES + 1];
	const unsigned long *nodes = nodes_for(mode, mask);

	if (syscall(SYS_mbind, at, len, mode, nodes, nodes ? BITS + 1 : 0, 0))
		need(errno == EINVAL, "mbind %#x: %m", mode);
}

static void prefer(int mode)
{
	unsigned long mask[NODES + 1];
	const unsigned long *nodes = nodes_for(mode, mask);

	if (syscall(SYS_set_mempolicy, mode, nodes, nodes ? BITS + 1 : 0))
		need(errno == EINVAL, "set_mempolicy %#x: %m", mode);
}

static void compare(const char *what, int i, struct policy before, struct policy now)
{
	check(!memcmp(&before, &now, sizeof(before)), "%s %d: mode %#x, nodes %#lx; was %#x, %#lx", what, i, now.mode,
	      now.nodes[0], before.mode, before.nodes[0]);
}

static pthread_barrier_t set, go;

/* One thread with each mode, and one more with none. */
static void *thread(void *arg)
{
	long i = (long)arg;
	struct policy before;

	if (i < MODES)
		prefer(modes[i]);
	before = query_policy(NULL);
	check(i >= MODES || modes[i] == WEIGHTED || modes[i] == MPOL_PREFERRED_MANY || before.mode == modes[i],
	      "mode %#x is %#x", modes[i % MODES], before.mode);
	pthread_barrier_wait(&set);
	pthread_barrier_wait(&go);
	if (test_break() == 1 && i == 2)
		prefer(MPOL_DEFAULT);
	if (test_break() == 2 && i == MODES)
		prefer(MPOL_BIND);
	compare("thread", (int)i, before, query_policy(NULL));
	return NULL;
}

/* Inherited by fork: every third page has a policy, and some are the child's own. */
#define COPIED 64UL

static int child(void *arg)
{
	char *mem = arg;

	memset(mem + 9 * PAGE, 'c', 3 * PAGE);
	checkpoint_task("child", 0);
	if (test_break() == 6)
		bind_to(mem + 33 * PAGE, PAGE, MPOL_DEFAULT);
	for (size_t i = 0; i < COPIED; i++) {
		check(query_policy(mem + i * PAGE).mode == (i % 3 ? MPOL_DEFAULT : MPOL_BIND),
		      "copied page %zu: mode %#x", i, query_policy(mem + i * PAGE).mode);
		check(mem[i * PAGE] == (i / 3 == 3 ? 'c' : 'p'), "copied page %zu: %c", i, mem[i * PAGE]);
	}
	return 0;
}

#define AREAS 6

int main(int argc, char **argv)
{
	const int area_modes[AREAS] = { MPOL_BIND, MPOL_INTERLEAVE, MPOL_BIND, MPOL_PREFERRED, MPOL_BIND, MPOL_BIND };
	char *mem, *many, *copied, *area[AREAS];
	struct policy before[2 * MODES], own, areas[AREAS], many_before;
	pthread_t threads[MODES + 1];
	int fd, brk, shm;
	pid_t pid;

	test_init(argc, argv);
	if (syscall(SYS_get_mempolicy, NULL, NULL, 0, NULL, 0) && errno == ENOSYS)
		test_skip("this kernel has no NUMA");
	copied = map_anon(COPIED * PAGE, MAP_PRIVATE);
	memset(copied, 'p', COPIED * PAGE);
	for (size_t i = 0; i < COPIED; i += 3)
		bind_to(copied + i * PAGE, PAGE, MPOL_BIND);
	pid = fork_task(child, copied);
	await_task("child");
	pthread_barrier_init(&set, NULL, MODES + 2);
	pthread_barrier_init(&go, NULL, MODES + 2);
	for (long i = 0; i <= MODES; i++)
		need(!pthread_create(&threads[i], NULL, thread, (void *)i), "pthread_create");
	pthread_barrier_wait(&set);

	/* Pages with and without content; every other page has no policy. */
	mem = map_anon(2 * MODES * PAGE, MAP_PRIVATE);
	for (int i = 0; i < MODES; i++) {
		bind_to(mem + 2 * (size_t)i * PAGE, PAGE, modes[i]);
		if (i & 1)
			fill(mem + 2 * (size_t)i * PAGE, 2 * PAGE, (unsigned int)i);
	}
	/* More than fit into one reply of the parasite. */
	many = map_anon(2 * MANY * PAGE, MAP_PRIVATE);
	for (size_t i = 0; i < MANY; i++)
		bind_to(many + 2 * i * PAGE, PAGE, i & 1 ? MPOL_BIND : MPOL_INTERLEAVE);
	fd = open("file", O_RDWR | O_CREAT, 0600);
	need(fd >= 0 && !ftruncate(fd, 4 * PAGE), "a file");
	area[0] = map_anon(4 * PAGE, MAP_SHARED);
	area[1] = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	area[2] = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	area[3] = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area[4] = map_anon(4 * PAGE, MAP_SHARED);
	shm = shmget(IPC_PRIVATE, 4 * PAGE, IPC_CREAT | 0600);
	area[5] = shmat(shm, NULL, 0);
	shmctl(shm, IPC_RMID, NULL);
	mprotect(area[5], PAGE, PROT_READ);
	for (int i = 0; i < AREAS; i++) {
		need(area[i] != MAP_FAILED, "mmap %d", i);
		bind_to(area[i] + PAGE, 2 * PAGE, area_modes[i]);
		areas[i] = query_policy(area[i] + PAGE);
	}
	fill(area[0], 4 * PAGE, 99);
	fill(area[2], 4 * PAGE, 98);
	for (int i = 0; i < 2 * MODES; i++)
		before[i] = query_policy(mem + (size_t)i * PAGE);
	many_before = query_policy(many);
	prefer(MPOL_BIND | MPOL_F_STATIC_NODES);
	own = query_policy(NULL);

	brk = checkpoint_here();
	if (brk == 3)
		prefer(MPOL_DEFAULT);
	if (brk == 4)
		bind_to(mem + PAGE, PAGE, MPOL_BIND);
	if (brk == 5)
		bind_to(many + 2 * (MANY - 1) * PAGE, PAGE, MPOL_DEFAULT);

	compare("the main thread", 0, own, query_policy(NULL));
	for (int i = 0; i < 2 * MODES; i++)
		compare("mapping", i, before[i], query_policy(mem + (size_t)i * PAGE));
	for (int i = 1; i < MODES; i += 2)
		check(!wrong(mem + 2 * (size_t)i * PAGE, 2 * PAGE, (unsigned int)i), "content %d", i);
	check(many_before.mode == MPOL_INTERLEAVE, "mode %d", many_before.mode);
	for (size_t i = 0; i < MANY; i++) {
		many_before.mode = i & 1 ? MPOL_BIND : MPOL_INTERLEAVE;
		compare("of many", (int)i, many_before, query_policy(many + 2 * i * PAGE));
	}
	check(!mprotect(area[5], PAGE, PROT_READ | PROT_WRITE), "write to the segment again: %m");
	memset(area[5], 's', 4 * PAGE);
	for (int i = 0; i < AREAS; i++) {
		compare("area", i, areas[i], query_policy(area[i] + PAGE));
		check(!query_policy(area[i]).mode, "area %d begins with %d", i, query_policy(area[i]).mode);
	}
	check(!wrong(area[0], 4 * PAGE, 99) && !wrong(area[2], 4 * PAGE, 98), "content of the areas");
	pthread_barrier_wait(&go);
	for (int i = 0; i <= MODES; i++)
		pthread_join(threads[i], NULL);
	join_task(pid);
	check(!shmdt(area[5]) && msync(area[5], 4 * PAGE, MS_ASYNC) && errno == ENOMEM, "detached as a whole");
	test_done();
}
