// SPDX-License-Identifier: GPL-2.0-only
/* sock_diag's listing of all unix sockets: one table per network namespace, read once. */
#include <errno.h>
#include "kinds/fd/unix/internal.h"
#include "run/network.h"

struct unix_table {
	struct record record; /* 0, id of the namespace */
	struct unix_diags diags;
};

static uint32_t id_of(const struct ns *ns)
{
	return ns ? ns->id : ns_own_id(NS_NET);
}

static int read_table(struct dump *dump, const struct ns *ns, struct unix_table *table)
{
	const struct ns *was = dump_network(dump);
	int err = dump_enter_network(dump, ns), back;

	if (err)
		return err;
	err = unix_diag_read(&table->diags);
	back = dump_enter_network(dump, was);
	if (err)
		return fail(err, "list unix sockets (sock_diag; needs the kernel module unix_diag)");
	return back;
}

/* @ns: a network namespace, NULL: the tool's own. */
static int table_of(struct dump *dump, struct unix_dump *data, const struct ns *ns, struct unix_table **ret_table)
{
	struct unix_table *table = record_find(&data->tables, 0, id_of(ns));
	int err = 0;

	if (!table) {
		table = record_new(&dump->arena, &data->tables, 0, id_of(ns), sizeof(*table));
		err = table ? read_table(dump, ns, table) : fail(-ENOMEM, "unix sockets");
	}
	if (!err)
		*ret_table = table;
	return err;
}

/* Most sockets are in the namespace of their task; finding out by the listing takes no system call. */
int unix_diag_of(struct dump *dump, const struct fd_probe *probe, const struct unix_diags **ret_all,
		 const struct unix_diag **ret_diag)
{
	struct unix_dump *data = *dump_kind_data(dump, &unix_kind);
	struct ns *ns = probe->task->ns[NS_NET];
	const struct unix_diag *diag;
	struct unix_table *table;
	int err = table_of(dump, data, ns, &table);

	if (err)
		return err;
	diag = unix_diag_find(&table->diags, probe->st.st_ino);
	if (!diag) {
		err = dump_network_of(dump, probe, &ns);
		if (!err && dump_network_refused(dump, probe, ns))
			return 1;
		if (!err)
			err = table_of(dump, data, ns, &table);
		diag = err ? NULL : unix_diag_find(&table->diags, probe->st.st_ino);
	}
	if (!diag)
		return err ? err : fail(-ENOENT, "%s: this unix socket is not in the kernel's listing", probe->link);
	*ret_all = &table->diags;
	*ret_diag = diag;
	return 0;
}

uint32_t unix_network_of(const struct unix_diags *all)
{
	return (uint32_t)container_of(all, struct unix_table, diags)->record.b;
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
