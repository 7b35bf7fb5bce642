# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of transport/: one file each, linked from an archive.
TRANSPORT_TEST_SRC   := $(wildcard test/unit/transport_*.c)
TRANSPORT_UNIT_TESTS := $(TRANSPORT_TEST_SRC:%.c=$(BUILD)/%)
TRANSPORT_OBJS       := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard criu/transport/*.c criu/util/*.c criu/util/$(ARCH)/*.c))

$(BUILD)/test/unit/transport.a: $(TRANSPORT_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(TRANSPORT_UNIT_TESTS): %: %.o $(BUILD)/test/unit/transport.a
	$(CC) $(LDFLAGS) -o $@ $^

# The page server, with everything that it calls instrumented.
PAGE_SERVER_FUZZ := $(BUILD)/test/fuzz/fuzz_page_server
PAGE_SERVER_SRC  := criu/page_server/session.c criu/page_server/images.c criu/transport/message.c criu/transport/connection.c \
	$(wildcard criu/image/*.c) $(filter-out criu/util/faults.c,$(wildcard criu/util/*.c criu/util/$(ARCH)/*.c))
FUZZ_TARGETS     += $(PAGE_SERVER_FUZZ)

$(PAGE_SERVER_FUZZ): $(BUILD)/%: %.c $(PAGE_SERVER_SRC) $(PROTO_C) $(wildcard criu/page_server/*.h criu/transport/*.h criu/image/*.h) | $(PROTO_H)
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CSTD) $(FUZZ_FLAGS) $(INCLUDE) -o $@ $(filter %.c,$^) -lprotobuf-c
