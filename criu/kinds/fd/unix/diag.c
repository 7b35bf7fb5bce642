// SPDX-License-Identifier: GPL-2.0-only
/* sock_diag's listing of all unix sockets: one table per network namespace, read once. */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include "kernel/ns_run.h"
#include "kinds/fd/unix/internal.h"
#include "util/fds.h"

#define SIOCGSKNS_ 0x894c /* the network namespace of a socket */

struct unix_table {
	struct record record; /* 0, inode of the namespace */
	struct unix_diags diags;
};

static int read_table(struct dump *dump, struct unix_dump *data, uint64_t ns, struct unix_table **ret_table)
{
	struct unix_table *table = record_new(&dump->arena, &data->tables, 0, ns, sizeof(*table));
	int err = table ? unix_diag_read(&table->diags) : -ENOMEM;

	if (err)
		return fail(err, "list unix sockets (sock_diag; needs the kernel module unix_diag)");
	*ret_table = table;
	return 0;
}

/* For a network namespace other than ours. */
struct other_table {
	struct dump *dump;
	struct unix_dump *data;
	uint64_t ns;
	struct unix_table **ret_table;
};

static int read_other_table(void *arg)
{
	const struct other_table *t = arg;

	return read_table(t->dump, t->data, t->ns, t->ret_table);
}

static int read_table_of(struct dump *dump, struct unix_dump *data, const struct fd_probe *probe,
			 struct unix_table **ret_table)
{
	_cleanup_close_ int ns = ioctl(probe->local, SIOCGSKNS_);
	struct other_table other = { dump, data, 0, ret_table };
	struct stat st;
	int err, result;

	if (ns < 0 || fstat(ns, &st) < 0)
		return fail(-errno, "network namespace of %s", probe->link);
	*ret_table = record_find(&data->tables, 0, st.st_ino);
	if (*ret_table)
		return 0;
	other.ns = st.st_ino;
	err = ns_run_in(&ns, 1, read_other_table, &other, &result);
	return err ? fail(err, "enter the network namespace of %s", probe->link) : result;
}

int unix_diag_of(struct dump *dump, const struct fd_probe *probe, const struct unix_diags **ret_all,
		 const struct unix_diag **ret_diag)
{
	struct unix_dump *data = *dump_kind_data(dump, &unix_kind);
	struct unix_table *table = record_find(&data->tables, 0, 0);
	const struct unix_diag *diag;
	int err = table ? 0 : read_table(dump, data, 0, &table);

	if (err)
		return err;
	diag = unix_diag_find(&table->diags, probe->st.st_ino);
	if (!diag) {
		err = read_table_of(dump, data, probe, &table);
		diag = err ? NULL : unix_diag_find(&table->diags, probe->st.st_ino);
	}
	if (!diag)
		return err ? err : fail(-ENOENT, "%s: this unix socket is not in the kernel's listing", probe->link);
	*ret_all = &table->diags;
	*ret_diag = diag;
	return 0;
}

const struct unix_diag *unix_diag_by_inode(const struct unix_dump *data, uint32_t ino)
{
	const struct unix_diag *diag = NULL;

	for (struct record *r = data->tables.first; r && !diag; r = r->next)
		diag = unix_diag_find(&((struct unix_table *)r)->diags, ino);
	return diag;
}

void unix_diags_free(struct unix_dump *data)
{
	for (struct record *r = data->tables.first; r; r = r->next)
		unix_diag_free(&((struct unix_table *)r)->diags);
}

const char *unix_name_text(struct dump *dump, const struct unix_diag *diag)
{
	char *text;

	if (!diag || !diag->name_len)
		return "unnamed";
	text = dump_printf(dump, "%s%.*s", diag->name[0] ? "" : "@", (int)(diag->name_len - !diag->name[0]),
			   diag->name + !diag->name[0]);
	return text ? text : "?";
}
