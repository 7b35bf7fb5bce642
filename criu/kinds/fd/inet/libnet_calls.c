// SPDX-License-Identifier: GPL-2.0-only
#include "kinds/fd/inet/libnet_calls.h"
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include "base/bits.h"
#include "util/log.h"

#define LIBNET "libnet.so.1"

static const struct {
	const char *name;
	size_t at;
} symbols[] = {
#define CALL(member)                                                                   \
	{                                                                              \
		.name = "libnet_" #member, .at = offsetof(struct libnet_calls, member) \
	}
	CALL(init),
	CALL(destroy),
	CALL(geterror),
	CALL(build_tcp),
	CALL(build_udp),
	CALL(build_icmpv4_unreach),
	CALL(build_icmpv6_unreach),
	CALL(build_ipv4),
	CALL(build_ipv6),
	CALL(pblock_coalesce),
	CALL(adv_free_packet),
#undef CALL
};

static int load(struct libnet_calls *ret)
{
	void *library = dlopen(LIBNET, RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return fail(-ELIBACC, "load libnet (%s); install it (Debian: libnet1)", dlerror());
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		void *call = dlsym(library, symbols[i].name);

		if (!call) {
			dlclose(library);
			return fail(-ELIBBAD, "%s has no %s; another version of libnet is needed", LIBNET,
				    symbols[i].name);
		}
		*(void **)((char *)ret + symbols[i].at) = call;
	}
	return 0;
}

const struct libnet_calls *libnet_load(void)
{
	/* Remains loaded for the life of the process. */
	static struct libnet_calls calls;
	static bool loaded;

	if (!loaded)
		loaded = !load(&calls);
	return loaded ? &calls : NULL;
}
