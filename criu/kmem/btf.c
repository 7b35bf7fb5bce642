// SPDX-License-Identifier: GPL-2.0-only
#include "kmem/btf.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/bits.h"
#include "base/cleanup.h"
#include "util/fds.h"

#define NESTED_MAX 16
#define NOTED 64 /* one of this many types is indexed */
/* Members examined by one search: the largest structs have some hundreds, including nested ones. */
#define MEMBERS_MAX (1u << 16)

static const struct btf_type *type_at(const struct btf *btf, uint32_t offset)
{
	return (const struct btf_type *)(btf->types + offset);
}

/*
 * Length of the data after a type of each kind: of itself, and for each of its elements. A table, as branches would be
 * mispredicted.
 */
static const struct rest {
	bool known;
	uint8_t own, each;
} rest_of_kind[BTF_INFO_KIND(~0u) + 1] = {
	[BTF_KIND_INT] = { true, 4, 0 },
	[BTF_KIND_PTR] = { true, 0, 0 },
	[BTF_KIND_ARRAY] = { true, sizeof(struct btf_array), 0 },
	[BTF_KIND_STRUCT] = { true, 0, sizeof(struct btf_member) },
	[BTF_KIND_UNION] = { true, 0, sizeof(struct btf_member) },
	[BTF_KIND_ENUM] = { true, 0, 8 },
	[BTF_KIND_FWD] = { true, 0, 0 },
	[BTF_KIND_TYPEDEF] = { true, 0, 0 },
	[BTF_KIND_VOLATILE] = { true, 0, 0 },
	[BTF_KIND_CONST] = { true, 0, 0 },
	[BTF_KIND_RESTRICT] = { true, 0, 0 },
	[BTF_KIND_FUNC] = { true, 0, 0 },
	[BTF_KIND_FUNC_PROTO] = { true, 0, 8 },
	[BTF_KIND_VAR] = { true, 4, 0 },
	[BTF_KIND_DATASEC] = { true, 0, 12 },
	[BTF_KIND_FLOAT] = { true, 0, 0 },
	[BTF_KIND_DECL_TAG] = { true, 4, 0 },
	[BTF_KIND_TYPE_TAG] = { true, 0, 0 },
	[BTF_KIND_ENUM64] = { true, 0, 12 },
};

/* A type with what follows it; 0: unknown kind. */
static size_t size_of(const struct btf_type *t)
{
	const struct rest rest = rest_of_kind[BTF_INFO_KIND(t->info)];

	return rest.known ? sizeof(*t) + rest.own + (size_t)BTF_INFO_VLEN(t->info) * rest.each : 0;
}

/*
 * Indexes one more type. Only as far as a search gets: what a usual dump needs is among the first of more than 100,000, and to walk all of
 * them is a tenth of its time. False at the end, or where the data is invalid.
 */
static bool walk_on(struct btf *btf)
{
	const size_t at = btf->walked, left = btf->types_len - at;
	const struct btf_type *t = type_at(btf, at);
	size_t size = left < sizeof(*t) ? 0 : size_of(t);

	if (!size || left < size)
		return false;
	/* To index each of them takes more time, and memory, than a walk for each search. */
	if (btf->by_id.n == btf->nr_types / NOTED && array_add(&btf->by_id, at))
		return false;
	if (BTF_INFO_KIND(t->info) == BTF_KIND_STRUCT && t->name_off && array_add(&btf->structs, at))
		return false;
	btf->nr_types++;
	btf->walked += size;
	return true;
}

static bool part(size_t len, size_t hdr_len, uint32_t off, uint32_t size)
{
	return hdr_len <= len && off <= len - hdr_len && size <= len - hdr_len - off;
}

static int find_parts(struct btf *btf)
{
	const struct btf_header *h = btf->map ? btf->map : (const void *)btf->bytes.data;
	size_t len = btf->map ? btf->map_len : btf->bytes.len;
	const char *data = (const char *)h;

	if (len < sizeof(*h) || h->magic != BTF_MAGIC || h->hdr_len % 4 || h->type_off % 4 ||
	    !part(len, h->hdr_len, h->type_off, h->type_len) || !part(len, h->hdr_len, h->str_off, h->str_len))
		return -EBADMSG;
	btf->types = data + h->hdr_len + h->type_off;
	btf->types_len = h->type_len;
	btf->names = data + h->hdr_len + h->str_off;
	btf->names_len = h->str_len;
	return btf->names_len && !btf->names[btf->names_len - 1] ? 0 : -EBADMSG;
}

/* Takes ownership of the contents of @btf, also on failure. */
static int take(struct btf *btf, struct btf *ret)
{
	int err = find_parts(btf);

	if (err)
		btf_free(btf);
	else
		*ret = *btf;
	return err;
}

int btf_parse(struct buf *bytes, struct btf *ret)
{
	struct btf btf = { .bytes = *bytes };

	*bytes = (struct buf){ 0 };
	return take(&btf, ret);
}

/* Since Linux 6.16; read(2) returns it page by page, which takes some ten times as long. */
static void *map_file(const char *path, size_t *ret_len)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) || st.st_size <= 0)
		return NULL;
	map = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	*ret_len = st.st_size;
	return map == MAP_FAILED ? NULL : map;
}

static int read_kernel(struct btf *ret)
{
	static const char path[] = "/sys/kernel/btf/vmlinux";
	struct btf btf = { 0 };
	struct buf bytes = { 0 };
	int err;

	btf.map = map_file(path, &btf.map_len);
	if (btf.map)
		return take(&btf, ret);
	err = read_file(AT_FDCWD, path, &bytes);
	if (err) {
		buf_free(&bytes);
		return err;
	}
	return btf_parse(&bytes, ret);
}

int btf_of_kernel(struct btf **ret)
{
	static struct btf own;
	int err = own.types ? 0 : read_kernel(&own);

	if (!err)
		*ret = &own;
	return err;
}

void btf_free(struct btf *btf)
{
	if (btf->map)
		munmap(btf->map, btf->map_len);
	buf_free(&btf->bytes);
	array_free(&btf->by_id);
	array_free(&btf->structs);
}

static const char *name_at(const struct btf *btf, uint32_t offset)
{
	return offset < btf->names_len ? btf->names + offset : "";
}

/* NULL: there is none. */
static const struct btf_type *type_of(struct btf *btf, uint32_t id)
{
	size_t at;

	while (id > btf->nr_types)
		if (!walk_on(btf))
			return NULL;
	if (!id)
		return NULL;
	at = btf->by_id.v[(id - 1) / NOTED];
	for (uint32_t i = 0; i < (id - 1) % NOTED; i++)
		at += size_of(type_at(btf, at));
	return type_at(btf, at);
}

/* The struct or union after resolving typedefs and qualifiers; NULL: another type. */
static const struct btf_type *aggregate(struct btf *btf, uint32_t id)
{
	for (int i = 0; i < NESTED_MAX; i++) {
		const struct btf_type *t = type_of(btf, id);

		if (!t)
			return NULL;
		switch (BTF_INFO_KIND(t->info)) {
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
			return t;
		case BTF_KIND_TYPEDEF:
		case BTF_KIND_CONST:
		case BTF_KIND_VOLATILE:
		case BTF_KIND_TYPE_TAG:
			id = t->type;
			break;
		default:
			return NULL;
		}
	}
	return NULL;
}

/* In bits. @left limits the search, which types that refer to each other would make endless. */
static long find_field(struct btf *btf, const struct btf_type *t, const char *path, int depth, unsigned *left)
{
	const struct btf_member *members = (const struct btf_member *)(t + 1);
	size_t len = strcspn(path, ".");

	if (depth == NESTED_MAX)
		return -ENOENT;
	for (size_t i = 0; i < BTF_INFO_VLEN(t->info) && *left; i++) {
		const struct btf_member *m = &members[i];
		const char *name = name_at(btf, m->name_off);
		uint32_t bits = BTF_INFO_KFLAG(t->info) ? BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset;
		const struct btf_type *inner;
		long at;

		--*left;
		if (name[0] && (strlen(name) != len || memcmp(name, path, len)))
			continue;
		if (name[0] && !path[len])
			return bits;
		inner = aggregate(btf, m->type);
		at = inner ? find_field(btf, inner, name[0] ? path + len + 1 : path, depth + 1, left) : -ENOENT;
		if (at >= 0)
			return bits + at;
	}
	return -ENOENT;
}

/* The first struct of that name from number *at on, which is then behind it; NULL: there is none. */
static const struct btf_type *next_struct(struct btf *btf, const char *name, size_t *at)
{
	for (;;) {
		while (*at < btf->structs.n) {
			const struct btf_type *t = type_at(btf, btf->structs.v[(*at)++]);

			if (str_eq(name_at(btf, t->name_off), name))
				return t;
		}
		if (!walk_on(btf))
			return NULL;
	}
}

/* @other: tried in each struct that has no @path, so that nothing behind it is searched; NULL: none. */
static long find_bits(struct btf *btf, const char *name, const char *path, const char *other)
{
	unsigned left = MEMBERS_MAX, left_other = MEMBERS_MAX;
	const struct btf_type *t;
	size_t next = 0;

	while ((t = next_struct(btf, name, &next))) {
		long at = find_field(btf, t, path, 0, &left);

		if (at < 0 && other)
			at = find_field(btf, t, other, 0, &left_other);
		if (at >= 0)
			return at;
	}
	return -ENOENT;
}

static long find_byte(struct btf *btf, const char *name, const char *path, const char *other)
{
	long bits = find_bits(btf, name, path, other);

	return bits < 0 || bits % 8 ? -ENOENT : bits / 8;
}

long btf_field(struct btf *btf, const char *name, const char *path)
{
	return find_byte(btf, name, path, NULL);
}

long btf_byte(struct btf *btf, const char *name, const char *path)
{
	long bits = find_bits(btf, name, path, NULL);

	return bits < 0 ? -ENOENT : bits / 8;
}

int btf_field_or(struct btf *btf, const char *name, const char *path, const char *other, long *ret)
{
	long at = find_byte(btf, name, path, other);

	if (at < 0)
		return -EOPNOTSUPP;
	*ret = at;
	return 0;
}

long btf_sizeof(struct btf *btf, const char *name)
{
	size_t next = 0;
	const struct btf_type *t = next_struct(btf, name, &next);

	return t ? (long)t->size : -ENOENT;
}
