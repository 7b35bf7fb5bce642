// SPDX-License-Identifier: GPL-2.0-only
/* UTS namespaces: the names of the host and of its NIS domain. uts_namespaces(7), uname(2) */
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
#include "base/bits.h"
#include "kinds/kinds.h"
#include "run/dump.h"
#include "run/restore.h"
#include "util/log.h"
#include "utsns.pb-c.h"

/* Of each name: __NEW_UTS_LEN */
#define NAME_LENGTH (sizeof(((struct utsname *)NULL)->nodename) - 1)

static int uts_save(struct dump *dump, struct ns *ns)
{
	UtsnsEntry entry = UTSNS_ENTRY__INIT;
	struct utsname names;
	int err;

	if (uname(&names) < 0)
		return fail(-errno, "uname");
	entry.nodename = names.nodename;
	entry.domainname = names.domainname;
	err = image_write_single(dump->dir, IMAGE_UTSNS, ns->id, &entry.base);
	return err < 0 ? fail(err, "%s", image_store_error(dump->dir)) : 0;
}

static int uts_load(struct restore *r, struct ns *ns)
{
	UtsnsEntry *names = NULL;
	int err = restore_read_record(r, IMAGE_UTSNS, ns->id, &utsns_entry__descriptor, &names);

	if (err)
		return err;
	if (strlen(names->nodename) > NAME_LENGTH || strlen(names->domainname) > NAME_LENGTH)
		return fail(-EBADMSG, "utsns-%u.img: a name is longer than %zu characters", ns->id, NAME_LENGTH);
	ns->data = names;
	return 0;
}

static int uts_fill(struct restore *r, struct ns *ns)
{
	const UtsnsEntry *names = ns->data;

	if (sethostname(names->nodename, strlen(names->nodename)) < 0)
		return fail(-errno, "set the host name %s", names->nodename);
	if (setdomainname(names->domainname, strlen(names->domainname)) < 0)
		return fail(-errno, "set the domain name %s", names->domainname);
	return 0;
}

const struct run_kind uts_ns_run = {
	.name = "UTS namespace",
	.namespaces = BIT(NS_UTS),
	.can_join = true,
	.save_namespace = uts_save,
	.load_namespace = uts_load,
	.fill_namespace = uts_fill,
};
