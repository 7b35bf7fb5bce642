# SPDX-License-Identifier: GPL-2.0-only
# Unit tests of requests: the module itself; others are linked from an archive.
REQUEST_TEST_SRC   := $(filter-out %_helper.c,$(wildcard test/unit/request_*.c))
REQUEST_UNIT_TESTS := $(REQUEST_TEST_SRC:%.c=$(BUILD)/%)
REQUEST_OBJS       := $(patsubst %.c,$(BUILD)/obj/%.o,$(wildcard criu/request/*.c criu/util/*.c criu/util/$(ARCH)/*.c) \
	criu/run/cgroup_props.c criu/run/options.c criu/run/notify.c criu/run/scripts.c)

$(REQUEST_TEST_SRC:%.c=$(BUILD)/%.o) $(BUILD)/test/unit/request_helper.o: | $(PROTO_H)

$(BUILD)/test/unit/request.a: $(REQUEST_OBJS)
	@mkdir -p $(@D)
	@rm -f $@
	$(AR) rcs $@ $^

$(REQUEST_UNIT_TESTS): %: %.o $(BUILD)/test/unit/request_helper.o $(BUILD)/test/unit/request.a $(BUILD)/libimages.a
	$(CC) $(LDFLAGS) -o $@ $^ -lprotobuf-c

# Messages of RPC clients.
REQUEST_FUZZ     := $(BUILD)/test/fuzz/fuzz_rpc
REQUEST_FUZZ_SRC := $(wildcard criu/request/*.c criu/util/*.c criu/util/$(ARCH)/*.c) criu/run/cgroup_props.c criu/run/options.c criu/run/notify.c criu/run/scripts.c
FUZZ_TARGETS     += $(REQUEST_FUZZ)

$(REQUEST_FUZZ): $(BUILD)/%: %.c $(REQUEST_FUZZ_SRC) $(wildcard criu/request/*.h criu/util/*.h criu/run/options.h) $(BUILD)/libimages.a
	@mkdir -p $(@D)
	$(FUZZ_CC) $(CSTD) $(FUZZ_FLAGS) $(INCLUDE) -o $@ $< $(REQUEST_FUZZ_SRC) $(BUILD)/libimages.a -lprotobuf-c
