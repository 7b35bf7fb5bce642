# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of kinds/ns/net: one file each, linked from an archive.
NET_TEST_SRC   := $(wildcard test/unit/net_*.c)
NET_UNIT_TESTS := $(NET_TEST_SRC:%.c=$(BUILD)/%)
NET_TEST_NAMES := vlans attributes messages device_kinds bonds refuse refuse_ebtables
NET_OBJS       := $(patsubst %.c,$(BUILD)/obj/%.o,$(NET_TEST_NAMES:%=criu/kinds/ns/net/%.c) criu/netlink/route.c criu/netlink/exchange.c \
	$(wildcard criu/util/*.c criu/util/$(ARCH)/*.c))

$(NET_TEST_SRC:%.c=$(BUILD)/%.o): | $(PROTO_H)

$(BUILD)/test/unit/net.a: $(NET_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(NET_UNIT_TESTS): %: %.o $(BUILD)/test/unit/net.a $(BUILD)/libimages.a
	$(CC) $(LDFLAGS) -o $@ $^ $(shell pkg-config --libs libnl-3.0) -lprotobuf-c
