// SPDX-License-Identifier: GPL-2.0-only
/* Whether the file at a path is the one that was saved: type, permissions, size, build id of an ELF file. */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "kinds/fd/regular/internal.h"
#include "util/fds.h"

#define BUILD_ID_MAX 64 /* bytes; usually 20 */
#define NOTES_MAX (64u << 10)
#define PHDRS_MAX 128

struct build_id {
	size_t len; /* 0: none */
	uint32_t words[BUILD_ID_MAX / 4];
};

/*
 * Searches the notes of one segment. Notes are padded to 4 bytes (or 8: .note.gnu.property, in a segment of its own).
 */
static bool find_note(const char *notes, size_t len, struct build_id *id)
{
	const Elf64_Nhdr *note;

	while (len >= sizeof(*note)) {
		uint64_t name, all;

		note = (const void *)notes;
		name = ROUND_UP((uint64_t)note->n_namesz, 4);
		all = sizeof(*note) + name + ROUND_UP((uint64_t)note->n_descsz, 4);
		if (all > len)
			return false;
		if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && !memcmp(note + 1, "GNU", 4) &&
		    note->n_descsz && note->n_descsz <= BUILD_ID_MAX) {
			memset(id->words, 0, sizeof(id->words));
			memcpy(id->words, (const char *)(note + 1) + name, note->n_descsz);
			id->len = note->n_descsz;
			return true;
		}
		notes += all;
		len -= all;
	}
	return false;
}

static void read_notes(int fd, uint64_t off, uint64_t len, struct build_id *id)
{
	_cleanup_free_ char *notes = NULL;

	if (len > NOTES_MAX || off > INT64_MAX)
		return;
	notes = malloc(len + 1);
	if (notes && !pread_exact(fd, notes, len, off))
		find_note(notes, len, id);
}

/* The two classes differ only in the widths of their fields. */
#define READ_SEGMENTS(bits)                                                                              \
	static void read_segments##bits(int fd, const char *head, size_t len, struct build_id *id)       \
	{                                                                                                \
		const Elf##bits##_Ehdr *elf = (const void *)head;                                        \
		Elf##bits##_Phdr ph[PHDRS_MAX];                                                          \
                                                                                                         \
		if (len < sizeof(*elf) || elf->e_phentsize != sizeof(*ph) || elf->e_phnum > PHDRS_MAX || \
		    (uint64_t)elf->e_phoff > INT64_MAX ||                                                \
		    pread_exact(fd, ph, elf->e_phnum * sizeof(*ph), elf->e_phoff))                       \
			return;                                                                          \
		for (int i = 0; !id->len && i < elf->e_phnum; i++)                                       \
			if (ph[i].p_type == PT_NOTE)                                                     \
				read_notes(fd, ph[i].p_offset, ph[i].p_filesz, id);                      \
	}
READ_SEGMENTS(32)
READ_SEGMENTS(64)

/* A file without a build id is no error: most have none. */
static int read_build_id(int fd, struct build_id *ret_id)
{
	char head[sizeof(Elf64_Ehdr)] __attribute__((aligned(8)));
	ssize_t len = pread_full(fd, head, sizeof(head), 0);
	struct build_id id = { 0 };

	if (len < 0)
		return len;
	if (len > EI_NIDENT && !memcmp(head, ELFMAG, SELFMAG)) {
		if (head[EI_CLASS] == ELFCLASS64)
			read_segments64(fd, head, len, &id);
		else if (head[EI_CLASS] == ELFCLASS32)
			read_segments32(fd, head, len, &id);
	}
	*ret_id = id;
	return 0;
}

static int readable(int fd, unsigned flags, int *ret_own)
{
	if (!(flags & (O_PATH | O_WRONLY)))
		return fd;
	*ret_own = reopen_fd(fd, O_RDONLY | O_NONBLOCK);
	return *ret_own;
}

int regular_note_content(struct dump *dump, const struct subject *s, RegFileEntry *reg)
{
	_cleanup_close_ int own = -1;
	struct build_id id;
	int fd;

	reg->has_mode = true;
	reg->mode = s->st.st_mode;
	if (!S_ISREG(s->st.st_mode))
		return 0;
	/* A file that is only written or appended to (a log) may grow meanwhile. */
	if (!(s->flags & (O_WRONLY | O_APPEND))) {
		reg->has_size = true;
		reg->size = s->st.st_size;
	}
	if (dump->opts->file_validation != VALIDATE_BUILDID || (size_t)s->st.st_size < sizeof(Elf32_Ehdr) ||
	    (s->flags & O_ACCMODE) != O_RDONLY)
		return 0;
	/* Without a descriptor our copy is O_PATH, although the saved flags are those of a mapping. */
	fd = readable(s->local, s->fd < 0 ? O_PATH : s->flags, &own);
	/* We cannot read it: its size has to suffice. */
	if (fd < 0 || read_build_id(fd, &id) < 0 || !id.len)
		return 0;
	reg->build_id = dump_alloc(dump, sizeof(id.words));
	if (!reg->build_id)
		return fail(-ENOMEM, "build id");
	memcpy(reg->build_id, id.words, sizeof(id.words));
	reg->n_build_id = ROUND_UP(id.len, 4) / 4;
	return 0;
}

void regular_note_identity(const struct dump *dump, const struct subject *s, RegFileEntry *reg)
{
	reg->has_dev = reg->has_ino = reg->has_uid = reg->has_gid = true;
	reg->dev = s->st.st_dev;
	reg->ino = s->st.st_ino;
	reg->uid = dump_uid_of(dump, s->st.st_uid);
	reg->gid = dump_gid_of(dump, s->st.st_gid);
	reg->has_birth = s->birth;
	reg->birth = s->birth;
}

static int check_build_id(const RegFileEntry *reg, int fd)
{
	_cleanup_close_ int own = -1;
	struct build_id id = { 0 };
	int in = readable(fd, fcntl(fd, F_GETFL), &own), err = in < 0 ? in : read_build_id(in, &id);

	if (err < 0)
		return fail(err, "read the build id of %s", reg->name);
	if (ROUND_UP(id.len, 4) / 4 != reg->n_build_id || memcmp(id.words, reg->build_id, reg->n_build_id * 4))
		return fail(-EINVAL, "%s has changed: it is another build (its build id differs); put the old one back",
			    reg->name);
	return 0;
}

/*
 * Programs do not depend on the size of a file that they only write to: a log has grown, or been truncated. We do not
 * save that size; images of CRIU contain it.
 */
static int size_differs(const RegFileEntry *reg, uint64_t size)
{
	if (reg->flags & (O_WRONLY | O_APPEND)) {
		log_warn("%s has changed: its size was %" PRIu64 ", is %" PRIu64
			 "; it is open for %s only, which continues",
			 reg->name, reg->size, size, reg->flags & O_APPEND ? "appending" : "writing");
		return 0;
	}
	return fail(-EINVAL,
		    "%s has changed: its size was %" PRIu64 ", is %" PRIu64
		    "; put a file with the old content back for the restore",
		    reg->name, reg->size, size);
}

int regular_check_content(struct restore *r, const RegFileEntry *reg, int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fail(-errno, "fstat %s", reg->name);
	if (reg->has_mode && (reg->mode & S_IFMT) != (st.st_mode & S_IFMT))
		return fail(-EINVAL, "%s has changed: its type was %#o, is %#o (inode(7)); put the old one back",
			    reg->name, reg->mode & S_IFMT, st.st_mode & S_IFMT);
	if (reg->has_mode && !r->opts->skip_file_rwx_check && !S_ISLNK(st.st_mode) &&
	    (reg->mode & 0777) != (st.st_mode & 0777))
		return fail(-EINVAL,
			    "%s has changed: its mode was %#o, is %#o; chmod it back or use --skip-file-rwx-check",
			    reg->name, reg->mode & 0777, st.st_mode & 0777);
	if (reg->has_size && S_ISREG(st.st_mode) && reg->size != (uint64_t)st.st_size) {
		int err = size_differs(reg, (uint64_t)st.st_size);

		if (err)
			return err;
	}
	if (!reg->n_build_id || !S_ISREG(st.st_mode) || r->opts->file_validation != VALIDATE_BUILDID)
		return 0;
	/* A user who may only execute a program cannot read its notes. */
	if (reg->flags & O_PATH)
		opener_leave(r);
	return check_build_id(reg, fd);
}

/* The access(2) mode for a description with these flags. */
int regular_access_of(unsigned flags)
{
	static const int may[] = { [O_RDONLY] = R_OK, [O_WRONLY] = W_OK, [O_RDWR] = R_OK | W_OK };

	return flags & O_PATH || (flags & O_ACCMODE) == O_ACCMODE ? 0 : may[flags & O_ACCMODE];
}
