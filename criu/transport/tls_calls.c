// SPDX-License-Identifier: GPL-2.0-only
#include "transport/tls_calls.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bits.h"
#include "util/log.h"

#define LIBRARY "libgnutls.so.30"

static const struct {
	const char *name;
	size_t at;
} symbols[] = {
#define X(member) { .name = "gnutls_" #member, .at = offsetof(struct tls_calls, member) },
	TLS_CALLS(X)
#undef X
		{ .name = "gnutls_free", .at = offsetof(struct tls_calls, free) },
};

static int load(struct tls_calls *ret)
{
	void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return fail(-ELIBACC, "--tls: load GnuTLS (%s); install it (Debian: libgnutls30)", dlerror());
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *call = dlsym(library, symbols[i].name);

		if (!call) {
			dlclose(library);
			return fail(-ELIBBAD, "--tls: %s has no %s; another version is needed", LIBRARY,
				    symbols[i].name);
		}
		*(void **)((char *)ret + symbols[i].at) = call;
	}
	return 0;
}

const struct tls_calls *tls_load(void)
{
	/* Remains loaded for the life of the process. */
	static struct tls_calls calls;
	static bool loaded;

	if (!loaded)
		loaded = !load(&calls);
	return loaded ? &calls : NULL;
}
