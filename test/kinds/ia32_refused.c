// SPDX-License-Identifier: GPL-2.0-only
/*
 * A 32-bit program in the tree is refused by name (not implemented).
 * test: refused="32-bit programs are not supported"
 */
#include "checkpoint.h"
#include <elf.h>
#include <sys/wait.h>

/* pause() forever, then exit(3) if that ever returns: mov $29,%eax; int $0x80; mov $1,%eax; mov $3,%ebx; int $0x80 */
static const unsigned char code[] = { 0xb8, 29, 0, 0, 0, 0xcd, 0x80, 0xb8, 1, 0, 0, 0, 0xbb, 3, 0, 0, 0, 0xcd, 0x80 };

int main(int argc, char **argv)
{
	struct {
		Elf32_Ehdr e;
		Elf32_Phdr p;
		unsigned char code[sizeof(code)];
	} image;
	int fd, status;
	pid_t pid;

	test_init(argc, argv);
	memset(&image, 0, sizeof(image));
	memcpy(image.e.e_ident, "\177ELF\1\1\1", 7);
	image.e.e_type = ET_EXEC;
	image.e.e_machine = EM_386;
	image.e.e_version = 1;
	image.e.e_entry = 0x8048000 + offsetof(typeof(image), code);
	image.e.e_phoff = offsetof(typeof(image), p);
	image.e.e_ehsize = sizeof(image.e);
	image.e.e_phentsize = sizeof(image.p);
	image.e.e_phnum = 1;
	image.p.p_type = PT_LOAD;
	image.p.p_vaddr = 0x8048000;
	image.p.p_filesz = image.p.p_memsz = sizeof(image);
	image.p.p_flags = PF_R | PF_X;
	image.p.p_align = 4096;
	memcpy(image.code, code, sizeof(code));
	fd = open("program", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	need(fd >= 0 && write(fd, &image, sizeof(image)) == sizeof(image) && !close(fd), "write");
	pid = fork();
	if (!pid) {
		execl("program", "program", NULL);
		_exit(99);
	}
	sleep_ms(50);
	if (waitpid(pid, &status, WNOHANG) == pid)
		test_skip("this kernel runs no 32-bit programs");
	if (checkpoint_here())
		kill(pid, SIGKILL), sleep_ms(20);
	check(!waitpid(pid, &status, WNOHANG), "the 32-bit program exited: %#x", status);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	test_done();
}
