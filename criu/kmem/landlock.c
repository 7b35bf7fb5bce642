// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/landlock.h"
#include <errno.h>
#include <linux/landlock.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/cleanup.h"
#include "kmem/reader.h"
#include "util/fds.h"

/* Words of cred->security, the memory of all security modules: Landlock's is one of them. */
#define PLACES 32

#define FIELDS(X)                                  \
	X(task_cred, "task_struct", "cred", NULL)  \
	X(cred_security, "cred", "security", NULL) \
	X(layers, "landlock_ruleset", "num_layers", NULL)

struct fields {
	FIELDS(KERNEL_FIELD_MEMBER)
};

static const struct kernel_field fields[] = { FIELDS(KERNEL_FIELD_ROW) };

struct landlock_reader {
	struct kernel_memory mem;
	struct fields at;
	unsigned place; /* index of Landlock's word */
	uint64_t own; /* our domain */
};

static const struct kernel_reader_type reader_type = KERNEL_READER_TYPE(struct landlock_reader, fields);

bool landlock_is_there(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

/* The address of the words of a struct task_struct. */
static int find_words(const struct landlock_reader *reader, uint64_t task, uint64_t *ret)
{
	int err = kernel_memory_field(&reader->mem, task, reader->at.task_cred, 8, &task);

	return err ? err : kernel_memory_field(&reader->mem, task, reader->at.cred_security, 8, ret);
}

static int read_own(const struct landlock_reader *reader, uint64_t ret[PLACES])
{
	uint64_t at = 0;
	int err = kernel_memory_task(&reader->mem, &at);

	if (!err)
		err = find_words(reader, at, &at);
	if (!err && !at)
		err = -EOPNOTSUPP;
	return err ? err : kernel_memory_read(&reader->mem, at, ret, PLACES * sizeof(*ret));
}

static uint64_t layers(const struct landlock_reader *reader, uint64_t domain)
{
	uint64_t n = 0;

	if (domain)
		kernel_memory_field(&reader->mem, domain, reader->at.layers, 4, &n);
	return n;
}

static int restrict_self(void)
{
	const uint64_t handled = LANDLOCK_ACCESS_FS_MAKE_BLOCK;
	_cleanup_close_ int ruleset = (int)syscall(SYS_landlock_create_ruleset, &handled, sizeof(handled), 0);

	if (ruleset < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) ? -errno : 0;
}

/* In a child: finds the word that becomes a domain with one more layer than before. PLACES: none. */
static unsigned find_place(const struct landlock_reader *reader)
{
	uint64_t before[PLACES], after[PLACES];

	if (read_own(reader, before) || restrict_self() || read_own(reader, after))
		return PLACES;
	for (unsigned i = 0; i < PLACES; i++) {
		/* Words that are not pointers belong to other modules. */
		uint64_t had = before[i] == after[i] ? 0 : layers(reader, before[i]);

		if (before[i] != after[i] && layers(reader, after[i]) == had + 1)
			return i;
	}
	return PLACES;
}

static int ask_child(struct landlock_reader *reader)
{
	int status;
	pid_t pid;

	pid = fork();
	if (pid < 0)
		return -errno;
	if (!pid)
		_exit((int)find_place(reader));
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status) >= PLACES)
		return -EOPNOTSUPP;
	reader->place = (unsigned)WEXITSTATUS(status);
	return 0;
}

int landlock_find_word(const struct kernel_memory *mem, unsigned *ret)
{
	struct landlock_reader reader = { .mem = *mem };
	int err = kernel_fields_find(mem->btf, fields, ARRAY_SIZE(fields), &reader.at);

	if (!err)
		err = ask_child(&reader);
	if (!err)
		*ret = reader.place;
	return err;
}

int landlock_reader_open(struct landlock_reader **ret)
{
	int err;
	struct landlock_reader *reader = kernel_reader_new(&reader_type, &err);
	uint64_t words[PLACES] = { 0 };

	if (!reader)
		return err;
	err = ask_child(reader);
	if (!err)
		err = read_own(reader, words);
	if (err) {
		landlock_reader_close(reader);
		return err;
	}
	reader->own = words[reader->place];
	*ret = reader;
	return 0;
}

void landlock_reader_close(struct landlock_reader *reader)
{
	kernel_reader_free(reader);
}

int landlock_differs(const struct landlock_reader *reader, int thread, bool *ret)
{
	uint64_t at = 0, domain = 0;
	int err = kernel_memory_task_of(&reader->mem, thread, &at);

	if (!err)
		err = find_words(reader, at, &at);
	if (!err)
		err = kernel_memory_word(&reader->mem, at + reader->place * 8ull, 8, &domain);
	if (!err)
		*ret = domain != reader->own;
	return err;
}
