// SPDX-License-Identifier: GPL-2.0-only
#include "image_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bits.h"
#include "base/cleanup.h"
#include "bpfmap-data.pb-c.h"
#include "memory_store_helper.h"
#include "image/store_ops.h"
#include "ghost-file.pb-c.h"
#include "pipe-data.pb-c.h"
#include "sk-packet.pb-c.h"
#include "tcp-stream.pb-c.h"
#include "ipc-msg.pb-c.h"
#include "ipc-sem.pb-c.h"
#include "ipc-shm.pb-c.h"

static int cases, failures;

void run_case(const char *name, const char *(*test)(void))
{
	const char *why = test();

	cases++;
	if (why)
		printf("not ok %s: %s\n", name, why);
	else
		printf("ok %s\n", name);
	fflush(stdout);
	failures += !!why;
}

int cases_failed(void)
{
	printf("1..%d\n", cases);
	return !!failures;
}

const char *because(const char *fmt, ...)
{
	static char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return text;
}

char *scratch_create(void)
{
	const char *tmp = getenv("TMPDIR") ?: "/tmp";
	char *path;

	if (asprintf(&path, "%s/image-test-XXXXXX", tmp) < 0 || !mkdtemp(path))
		abort();
	return path;
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
}

void scratch_remove(char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(path);
}

void scratch_cleanup(char **path)
{
	if (*path)
		scratch_remove(*path);
}

static int open_in(const char *dir, const char *name, int flags)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", dir, name) < 0)
		abort();
	return open(path, flags | O_CLOEXEC, 0600);
}

uint8_t *slurp(const char *dir, const char *name, size_t *ret_len)
{
	_cleanup_close_ int fd = open_in(dir, name, O_RDONLY);
	struct stat st;
	uint8_t *buf;

	if (fd < 0 || fstat(fd, &st))
		return NULL;
	buf = malloc(st.st_size + 1);
	if (!buf || read(fd, buf, st.st_size) != st.st_size)
		abort();
	*ret_len = st.st_size;
	return buf;
}

void spew(const char *dir, const char *name, const void *buf, size_t len)
{
	_cleanup_close_ int fd = open_in(dir, name, O_WRONLY | O_CREAT | O_TRUNC);

	if (fd < 0 || write(fd, buf, len) != (ssize_t)len)
		abort();
}

bool is_there(const char *dir, const char *name)
{
	_cleanup_close_ int fd = open_in(dir, name, O_PATH);

	return fd >= 0;
}

bool same_file(const char *dir1, const char *name1, const char *dir2, const char *name2)
{
	size_t len1, len2;
	_cleanup_free_ uint8_t *buf1 = slurp(dir1, name1, &len1), *buf2 = slurp(dir2, name2, &len2);

	return buf1 && buf2 && len1 == len2 && !memcmp(buf1, buf2, len1);
}

static void set_scalar(const ProtobufCFieldDescriptor *field, void *at, unsigned int seed, int depth)
{
	uint64_t number = seed % 3 ? seed * 0x9e3779b97f4a7c15ull >> seed % 61 : seed;
	ProtobufCBinaryData *data;
	const ProtobufCEnumDescriptor *values;

	switch (field->type) {
	case PROTOBUF_C_TYPE_ENUM:
		values = field->descriptor;
		*(int *)at = values->values[seed % values->n_values].value;
		return;
	case PROTOBUF_C_TYPE_BOOL:
		*(protobuf_c_boolean *)at = seed & 1;
		return;
	case PROTOBUF_C_TYPE_STRING:
		if (asprintf((char **)at, "%s-%u", field->name, seed) < 0)
			abort();
		return;
	case PROTOBUF_C_TYPE_BYTES:
		data = at;
		data->len = seed % 50;
		data->data = calloc(1, data->len + 1);
		return;
	case PROTOBUF_C_TYPE_MESSAGE:
		*(void **)at = make_message(field->descriptor, seed, depth + 1);
		return;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		*(uint64_t *)at = number;
		return;
	default:
		*(uint32_t *)at = number;
	}
}

static size_t size_of(const ProtobufCFieldDescriptor *field)
{
	switch (field->type) {
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		return 8;
	default:
		return 4;
	}
}

ProtobufCMessage *make_message(const ProtobufCMessageDescriptor *type, unsigned int seed, int depth)
{
	ProtobufCMessage *msg = calloc(1, type->sizeof_message);

	protobuf_c_message_init(type, msg);
	for (unsigned int i = 0; i < type->n_fields; i++) {
		const ProtobufCFieldDescriptor *field = &type->fields[i];
		void *at = (char *)msg + field->offset, *quantifier = (char *)msg + field->quantifier_offset;
		bool nested = field->type == PROTOBUF_C_TYPE_MESSAGE;

		seed = seed * 1103515245 + 12345;
		if (field->label == PROTOBUF_C_LABEL_REQUIRED) {
			set_scalar(field, at, seed >> 8, depth);
		} else if (depth >= 4 || (seed >> 16) % 4 == 0) {
			continue;
		} else if (field->label == PROTOBUF_C_LABEL_OPTIONAL) {
			set_scalar(field, at, seed >> 8, depth);
			if (!nested && field->type != PROTOBUF_C_TYPE_STRING)
				*(protobuf_c_boolean *)quantifier = true;
		} else {
			size_t n = (seed >> 20) % 4, size = size_of(field);
			char *items = n ? calloc(n, size) : NULL;

			for (size_t j = 0; j < n; j++)
				set_scalar(field, items + j * size, (seed >> 8) + j, depth);
			*(size_t *)quantifier = n;
			*(void **)at = items;
		}
	}
	return msg;
}

size_t payload_size(enum image_type type, const ProtobufCMessage *msg, unsigned long nth, size_t left)
{
	switch (type) {
	case IMAGE_PIPES_DATA:
	case IMAGE_FIFO_DATA:
		return ((const PipeDataEntry *)msg)->bytes;
	case IMAGE_SK_QUEUES:
		return ((const SkPacketEntry *)msg)->length;
	case IMAGE_TCP_STREAM:
		return (size_t)((const TcpStreamEntry *)msg)->inq_len + ((const TcpStreamEntry *)msg)->outq_len;
	case IMAGE_BPFMAP_DATA:
		return (size_t)((const BpfmapDataEntry *)msg)->keys_bytes +
		       ((const BpfmapDataEntry *)msg)->values_bytes;
	case IMAGE_GHOST_FILE:
		if (nth)
			return ((const GhostChunkEntry *)msg)->len;
		return ((const GhostFileEntry *)msg)->chunks ? 0 : left;
	case IMAGE_IPCNS_SEM:
		return ROUND_UP((size_t)((const IpcSemEntry *)msg)->nsems * 2, 8);
	case IMAGE_IPCNS_SHM:
		return ((const IpcShmEntry *)msg)->in_pagemaps ? 0 : ROUND_UP(((const IpcShmEntry *)msg)->size, 4);
	default:
		return 0;
	}
}

static int walk_messages(struct image_reader *img, struct image_writer *copy, uint32_t number)
{
	for (; number; number--) {
		_cleanup_record_ IpcMsg *msg = NULL;
		const void *bytes;
		size_t len;
		int got = image_read_record(img, &ipc_msg__descriptor, &msg);

		if (got <= 0)
			return got ? got : image_refuse(img, "a message is missing");
		len = ROUND_UP((size_t)msg->msize, 8);
		got = image_read_raw(img, len, &bytes);
		if (!got && copy)
			got = image_write_record(copy, &msg->base) ?: image_write_raw(copy, bytes, len);
		if (got)
			return got;
	}
	return 0;
}

int walk_image(enum image_type type, struct image_reader *img, struct image_writer *copy, unsigned long *ret_records)
{
	const struct image_spec *spec = image_spec(type);

	for (*ret_records = 0;; ++*ret_records) {
		_cleanup_record_ ProtobufCMessage *msg = NULL;
		const void *payload;
		size_t len;
		int got;

		got = image_read_record(img, *ret_records ? spec->rest : spec->first, &msg);
		if (got <= 0)
			return got;
		len = payload_size(type, msg, *ret_records, image_left(img));
		got = image_read_raw(img, len, &payload);
		if (!got && copy)
			got = image_write_record(copy, msg) ?: image_write_raw(copy, payload, len);
		if (!got && type == IMAGE_IPCNS_MSG)
			got = walk_messages(img, copy, ((const IpcMsgEntry *)msg)->qnum);
		if (got)
			return got;
	}
}

struct image_store *store_of_bytes(enum image_type type, uint64_t id, const void *buf, size_t len)
{
	struct image_out out = { .type = type, .id = id, .fd = -1 };
	struct image_store *store;

	if (image_memory_open(&store) || image_store_begin(store) || store->ops->finish(store, &out, buf, len) ||
	    image_store_commit(store))
		abort();
	return store;
}
