// SPDX-License-Identifier: GPL-2.0-only
/* What our writer writes must decode with Debian's crit, and encoding crit's output again must give the same bytes. */
#include "image_helper.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "bpfmap-data.pb-c.h"
#include "fdinfo.pb-c.h"
#include "ghost-file.pb-c.h"
#include "image/dir.h"
#include "ipc-msg.pb-c.h"
#include "ipc-sem.pb-c.h"
#include "ipc-shm.pb-c.h"
#include "netdev.pb-c.h"
#include "pipe-data.pb-c.h"
#include "sk-inet.pb-c.h"
#include "sk-packet.pb-c.h"
#include "tcp-stream.pb-c.h"

/* Fields that give the length of a payload must be small, and 0 for payloads that crit does not read. */
static void tame(enum image_type type, ProtobufCMessage *msg, unsigned long nth)
{
	switch (type) {
	case IMAGE_PIPES_DATA:
	case IMAGE_FIFO_DATA:
		((PipeDataEntry *)msg)->bytes %= 100;
		return;
	case IMAGE_SK_QUEUES:
		((SkPacketEntry *)msg)->length %= 100;
		return;
	case IMAGE_TCP_STREAM:
		((TcpStreamEntry *)msg)->inq_len %= 100;
		((TcpStreamEntry *)msg)->outq_len %= 100;
		return;
	case IMAGE_BPFMAP_DATA:
		((BpfmapDataEntry *)msg)->keys_bytes %= 100;
		((BpfmapDataEntry *)msg)->values_bytes %= 100;
		return;
	case IMAGE_GHOST_FILE:
		if (nth)
			((GhostChunkEntry *)msg)->len %= 100;
		else
			((GhostFileEntry *)msg)->has_chunks = ((GhostFileEntry *)msg)->chunks = true;
		return;
	case IMAGE_IPCNS_SEM:
		((IpcSemEntry *)msg)->nsems %= 100;
		return;
	case IMAGE_IPCNS_SHM:
		((IpcShmEntry *)msg)->has_in_pagemaps = false;
		((IpcShmEntry *)msg)->size %= 100;
		return;
	case IMAGE_FDINFO: /* PIDFD was added later */
		((FdinfoEntry *)msg)->type = FD_TYPES__TTY;
		return;
	case IMAGE_FILES:
		((FileEntry *)msg)->type = FD_TYPES__TTY;
		return;
	case IMAGE_INETSK: /* crit prints 1 or 4 numbers as an address, and fails on 2 */
		((InetSkEntry *)msg)->n_src_addr = ((InetSkEntry *)msg)->n_dst_addr = 0;
		return;
	case IMAGE_NETDEV:
		image_free_record(((NetDeviceEntry *)msg)->sit);
		((NetDeviceEntry *)msg)->sit = NULL;
		return;
	case IMAGE_IPCNS_MSG:
		((IpcMsgEntry *)msg)->qnum = 0;
		return;
	default:
		return;
	}
}

static int write_image(struct image_store *dir, enum image_type type, unsigned int n)
{
	const struct image_spec *spec = image_spec(type);
	struct image_writer *img;
	int err;

	err = image_create(dir, type, 7, &img);
	for (unsigned int i = 0; !err && i < n; i++) {
		_cleanup_record_ ProtobufCMessage *msg = make_message(i ? spec->rest : spec->first, type * 31 + i, 0);

		_cleanup_free_ uint8_t *zeros = NULL;
		size_t len;

		tame(type, msg, i);
		len = payload_size(type, msg, i, 0);
		zeros = calloc(1, len + 1);
		err = image_write_record(img, msg) ?: image_write_raw(img, zeros, len);
	}
	return err ?: image_close(img);
}

/* 3.17 has no decoder for these (checksums are ours; SIGNAL and BINFMT_MISC only a magic). */
static bool crit_knows(enum image_type type)
{
	return type != IMAGE_CHECKSUMS && type != IMAGE_PAGE_CHECKSUMS && type != IMAGE_SENT_PAGES &&
	       type != IMAGE_PIDFD && type != IMAGE_BINFMT_MISC && type != IMAGE_SIGNAL && type != IMAGE_PSIGNAL;
}

/* crit's encoder fails on these payloads, even on CRIU's own. */
static bool crit_encodes(enum image_type type)
{
	return type != IMAGE_IPCNS_SHM && type != IMAGE_BPFMAP_DATA;
}

static int crit(const char *path, const char *name, bool encode)
{
	_cleanup_free_ char *command = NULL;

	if (asprintf(&command,
		     "cd %s && { crit decode -i %s -o %s.json && crit show %s >/dev/null && "
		     "%s crit encode -i %s.json -o %s.back; } 2>%s.err",
		     path, name, name, name, encode ? "" : ": ", name, name, name) < 0)
		abort();
	return system(command);
}

static unsigned int decoded, identical;

static const char *test_decode(enum image_type type)
{
	_cleanup_scratch_ char *path = scratch_create();
	_cleanup_image_store_ struct image_store *dir = NULL;
	_cleanup_free_ char *error = NULL;
	char name[IMAGE_NAME_MAX], back[IMAGE_NAME_MAX + 8], errors[IMAGE_NAME_MAX + 8];
	_cleanup_free_ uint8_t *ours = NULL, *theirs = NULL;
	size_t len, back_len;

	image_name(type, 7, name);
	snprintf(back, sizeof(back), "%s.back", name);
	snprintf(errors, sizeof(errors), "%s.err", name);
	EXPECT(!image_dir_open(path, &dir) && !image_store_begin(dir));
	EXPECT(!write_image(dir, type, 2) && !image_store_commit(dir));
	if (crit(path, name, crit_encodes(type))) {
		error = (char *)slurp(path, errors, &len);
		error[len] = '\0';
		return because("crit: %s", len > 300 ? error + len - 300 : error);
	}
	decoded++;
	if (!crit_encodes(type))
		return NULL;
	if (same_file(path, name, path, back)) {
		identical++;
		return NULL;
	}
	/* 3.17 drops fields that were added later: the result may be shorter, never longer. */
	ours = slurp(path, name, &len);
	theirs = slurp(path, back, &back_len);
	EXPECT(ours && theirs && back_len < len);
	return NULL;
}

static enum image_type current;

static const char *test_current(void)
{
	return test_decode(current);
}

int main(void)
{
	if (system("command -v crit >/dev/null")) {
		printf("skip crit: not installed\n");
		return cases_failed();
	}
	for (current = 0; current < IMAGE_TYPES; current++)
		if (image_spec(current)->first && crit_knows(current))
			run_case(image_spec(current)->type, test_current);
	printf("# %u images decoded, %u identical after encoding\n", decoded, identical);
	return cases_failed();
}
