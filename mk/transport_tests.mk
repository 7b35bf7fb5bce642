# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of transport/: one file each, linked from an archive.
TRANSPORT_TEST_SRC   := $(wildcard test/unit/transport_*.c)
TRANSPORT_UNIT_TESTS := $(TRANSPORT_TEST_SRC:%.c=$(BUILD)/%)
TRANSPORT_OBJS       := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard criu/transport/*.c criu/util/*.c))

$(BUILD)/test/unit/transport.a: $(TRANSPORT_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(TRANSPORT_UNIT_TESTS): %: %.o $(BUILD)/test/unit/transport.a
	$(CC) $(LDFLAGS) -o $@ $^
