/* SPDX-License-Identifier: GPL-2.0-only */
/* Descriptors: who has which file, and who opens it. */
#include <errno.h>
#include <fcntl.h>
#include "fown.pb-c.h"
#include "restore/restore.h"
#include "run/obstacles.h"
#include "run/restore.h"
#include "run/user_ns.h"
#include "util/log.h"

/* Users of every file: counted, then filled in. The first one in tree order opens it. */
static int find_users(struct restore *r)
{
	struct restore_task *rt;

	restore_for_each_task(rt, r)
		for (size_t i = 0; i < rt->nr_fds; i++)
			rt->fds[i].file->nr_users++;
	for (size_t i = 0; i < r->plan.nr_files; i++) {
		struct file *file = &r->plan.files[i];

		file->users = restore_alloc(r, (file->nr_users + 1) * sizeof(*file->users));
		if (!file->users)
			return fail(-ENOMEM, "files");
		file->nr_users = 0;
	}
	restore_for_each_task(rt, r) {
		for (size_t i = 0; i < rt->nr_fds; i++) {
			struct file *file = rt->fds[i].file;
			const struct task_fd *last = file->nr_users ? &file->users[file->nr_users - 1] : NULL;

			if (!file->owner) {
				file->owner = rt;
				file->owner_fd = rt->fds[i].fd;
			}
			rt->fds[i].first_user = last && last->task == rt ? last->first_user : file->nr_users;
			file->users[file->nr_users++] = rt->fds[i];
		}
	}
	return 0;
}

/* It is part of most records of descriptors, in a field of the same name. NULL: this one has none. */
static const FownEntry *fown_of(const FileEntry *entry)
{
	for (unsigned i = 0; i < entry->base.descriptor->n_fields; i++) {
		const ProtobufCFieldDescriptor *of_kind = &entry->base.descriptor->fields[i], *field;
		const char *record;

		if (of_kind->type != PROTOBUF_C_TYPE_MESSAGE || of_kind->label == PROTOBUF_C_LABEL_REPEATED)
			continue;
		record = *(const char *const *)((const char *)entry + of_kind->offset);
		field = protobuf_c_message_descriptor_get_field_by_name(of_kind->descriptor, "fown");
		if (record && field && field->descriptor == &fown_entry__descriptor)
			return *(const FownEntry *const *)(record + field->offset);
	}
	return NULL;
}

/* F_OWNER_TID: the thread must exist when the file is opened. */
static int link_owner(struct restore *r, const struct file *file)
{
	const FownEntry *fown = file->entry ? fown_of(file->entry) : NULL;
	struct restore_thread *thread =
		fown && fown->pid && fown->pid_type == F_OWNER_TID ? restore_find_thread(r, (pid_t)fown->pid) : NULL;

	return thread ? restore_need_early(r, thread) : 0;
}

int restore_link_files(struct restore *r)
{
	int err = find_users(r);

	for (size_t i = 0; !err && i < r->plan.nr_files; i++) {
		struct file *file = &r->plan.files[i];

		LOG_SCOPE("file %#x (%s)", file->id, file->kind->name);
		restore_is_about(r, NULL, file->owner, file);
		err = restore_continues(r, link_owner(r, file));
		if (!err && file->kind->link)
			err = restore_continues(r, file->kind->link(r, file, file->state));
		if (!err && file->maker == file)
			file->maker = NULL;
	}
	return err;
}
