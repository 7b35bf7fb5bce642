// SPDX-License-Identifier: GPL-2.0-only
/* `compel pack`: valid input, errors and their messages. Argument: path of the program (default: next to the tests). */
#include <limits.h>
#include <sys/stat.h>

#include "help.h"

static char tool[PATH_MAX], dir[] = "/tmp/compel-pack-XXXXXX";

/* Runs a shell command, with its output in @out. Returns its exit status, 127 if it could not be run. */
static int run(char *out, size_t size, const char *format, ...)
{
	char line[8192];
	va_list ap;
	size_t n;
	FILE *p;
	int status;

	va_start(ap, format);
	vsnprintf(line, sizeof(line), format, ap);
	va_end(ap);
	p = popen(line, "re"); /* style: a test of a command line */
	if (!p)
		return 127;
	n = fread(out, 1, size - 1, p);
	out[n] = 0;
	status = pclose(p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 127;
}

static const char cc[] =
	"cc -xc -O2 -ffreestanding -fno-stack-protector -mgeneral-regs-only -fno-asynchronous-unwind-tables";

static void pack_case(const char *name, const char *flags, const char *code, int status, const char *expected)
{
	char out[4096] = "", cc_output[4096] = "";
	int got = run(cc_output, sizeof(cc_output), "printf '%%s' '%s' | %s %s -c -o %s/o.o - 2>&1", code, cc, flags,
		      dir);

	if (!got)
		got = run(out, sizeof(out), "%s pack --name b -o %s/o.h %s/o.o 2>&1", tool, dir, dir);
	report(name, got == status && !cc_output[0] && (!expected || strstr(out, expected)), "status %d, output: %s%s",
	       got, cc_output, out);
}

#define ENTRY "unsigned long blob_entry(unsigned c, void *a)"

int main(int argc, char **argv)
{
	char out[4096], self[PATH_MAX] = "";
	char *slash;
	int status;

	if (argc > 1 && strchr(argv[1], '/')) {
		snprintf(tool, sizeof(tool), "%s", argv[1]);
	} else {
		if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
			return 1;
		slash = strrchr(self, '/');
		*slash = 0;
		snprintf(tool, sizeof(tool), "%.4000s/../compel", self);
	}
	if (!mkdtemp(dir))
		return 1;
	pack_case("good", "-fpie", "static int x[5]; static const int t[] = {1,2,3};" ENTRY "{ return t[c] + x[c]++; }",
		  0, NULL);
	status = run(
		out, sizeof(out),
		"printf '#include \"%s/o.h\"\\nint main(void){return b.entry >= b.file_size || b.size < b.rw_start;}' | "
		"cc " TEST_INCLUDE " -Wall -Wextra -Werror -xc -o %s/t - 2>&1 && %s/t",
		dir, dir, dir);
	report("header_compiles", !status, "status %d: %s", status, out);
	pack_case("got_relaxed", "-fpic",
		  "extern int v; int v = 3; int f(void) { return v; }" ENTRY "{ *(int **)a = &v; return f(); }", 0,
		  NULL);
	pack_case("refuse_undefined", "-fpie", "int nowhere(int);" ENTRY "{ return nowhere(c); }", 1,
		  "undefined symbol nowhere");
	pack_case("refuse_absolute", "-fpie",
		  "int f(void); int f(void) { return 1; } int (*p)(void) = f;" ENTRY "{ return p(); }", 1,
		  "R_X86_64_64");
	pack_case("refuse_absolute_32", "-fno-pie -mcmodel=small -fno-jump-tables",
		  "static int t[9];" ENTRY "{ return t[c]++; }", 1, "R_X86_64_32S");
	pack_case("refuse_thread_local", "-fpie", "__thread int t = 4;" ENTRY "{ return t; }", 1, "thread-local");
	pack_case("refuse_constructor", "-fpie",
		  "__attribute__((constructor)) void f(void); void f(void) { asm volatile(\"nop\"); }" ENTRY
		  "{ return 0; }",
		  1, "constructors");
	pack_case("refuse_no_entry", "-fpie", "int f(void); int f(void) { return 1; }", 1, "blob_entry");
	status = run(out, sizeof(out), "%s pack -n b -o %s/x.h /proc/self/exe 2>&1", tool, dir);
	report("refuse_program", status == 1 && strstr(out, "relocatable"), "status %d: %s", status, out);
	status = run(out, sizeof(out), "%s pack 2>&1", tool);
	report("usage", status == 2 && strstr(out, "--help"), "status %d: %s", status, out);
	/* Corrupt objects: an error, never a crash. */
	run(out, sizeof(out), "cp %s/o.o %s/d.o", dir, dir);
	status = 0;
	for (int i = 0; i < 200 && status < 2; i++)
		status = run(
			out, sizeof(out),
			"cp %s/o.o %s/d.o; for k in 1 2 3; do printf '\\377' | dd of=%s/d.o bs=1 seek=$(( (%d * 37 + $k * 911) %% "
			"$(stat -c %%s %s/o.o) )) conv=notrunc 2>/dev/null; done; %s pack -n b -o %s/x.h %s/d.o 2>&1",
			dir, dir, dir, i, dir, tool, dir, dir);
	report("corrupt", status == 0 || status == 1, "status %d: %s", status, out);
	run(out, sizeof(out), "rm -r %s", dir);
	return test_result();
}
