# SPDX-License-Identifier: GPL-2.0-only
# libcriu: $(BUILD)/libcriu.so.2.0 with its links, libcriu.a, and the headers as they are installed, in $(BUILD)/include.
LIB_VERSION  := $(shell sed -n 's/^\#define CRIU_VERSION[ \t]*"\(.*\)"/\1/p' lib/c/version.h)
LIB_SRC      := $(wildcard lib/c/*.c)
LIB_OBJS     := $(LIB_SRC:%.c=$(BUILD)/obj/%.pic.o) $(BUILD)/obj/lib/c/rpc.pb-c.pic.o
LIB_HEADERS  := $(addprefix $(BUILD)/include/criu/,criu.h version.h rpc.pb-c.h rpc.proto)
LIBCRIU      := $(BUILD)/libcriu.so $(BUILD)/libcriu.so.2 $(BUILD)/libcriu.a $(LIB_HEADERS)
LIB_CFLAGS   := $(CSTD) $(OPT) -g $(WARN) -fPIC -Iinclude -I$(BUILD)/images $(filter -fsanitize%,$(CFLAGS))

$(LIB_OBJS): | $(PROTO_H)

# Only what criu.h declares is visible, and rpc.proto's functions, which clients use.
$(BUILD)/obj/lib/c/%.pic.o: lib/c/%.c
	@mkdir -p $(@D)
	$(CC) $(LIB_CFLAGS) -fvisibility=hidden -MMD -MP -c -o $@ $<
$(BUILD)/obj/lib/c/rpc.pb-c.pic.o: $(BUILD)/images/rpc.pb-c.c
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(OPT) -g -fPIC -I$(BUILD)/images -MMD -MP -c -o $@ $<

# One object, so that the archive has no symbol more than the shared library.
$(BUILD)/obj/lib/c/libcriu.o: $(LIB_OBJS)
	$(LD) -r -o $@ $^
	$(OBJCOPY) --localize-hidden $@
$(BUILD)/libcriu.a: $(BUILD)/obj/lib/c/libcriu.o
	@rm -f $@
	$(AR) rcs $@ $^
# Programs may have copies of our data (relocations of type COPY), so only functions are bound inside the library.
$(BUILD)/libcriu.so.2.0: $(BUILD)/obj/lib/c/libcriu.o
	$(CC) -shared $(LDFLAGS) -Wl,-soname,libcriu.so.2 -Wl,-Bsymbolic-functions -Wl,-z,relro -Wl,-z,now -o $@ $^ -lprotobuf-c
$(BUILD)/libcriu.so.2 $(BUILD)/libcriu.so: $(BUILD)/libcriu.so.2.0
	ln -sf libcriu.so.2.0 $@

$(BUILD)/include/criu/%.h: lib/c/%.h
	@mkdir -p $(@D)
	cp $< $@
$(BUILD)/include/criu/rpc.pb-c.h: $(BUILD)/images/rpc.pb-c.h
	@mkdir -p $(@D)
	cp $< $@
$(BUILD)/include/criu/rpc.proto: images/rpc.proto
	@mkdir -p $(@D)
	cp $< $@

lib: $(LIBCRIU)
.PHONY: lib

# Unit tests: programs that are linked with the library, as clients are.
LIB_UNIT_TESTS := $(patsubst %.c,$(BUILD)/%,$(wildcard test/unit/libcriu_*.c))
$(LIB_UNIT_TESTS): $(BUILD)/test/unit/%: test/unit/%.c $(LIBCRIU) $(wildcard test/unit/libcriu_*.h) test/unit/util_check.h
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(OPT) -g $(WARN) $(filter -fsanitize%,$(CFLAGS)) -I$(BUILD)/include -I$(BUILD)/include/criu $(LDFLAGS) -o $@ $< \
		-L$(BUILD) -lcriu -lprotobuf-c -lpthread -Wl,-rpath,$(abspath $(BUILD))

# A client for the tests that use the real criu.
LIB_CLIENTS := $(patsubst %.c,$(BUILD)/%,$(wildcard test/clients/*.c))
$(LIB_CLIENTS): $(BUILD)/test/clients/%: test/clients/%.c $(LIBCRIU)
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(OPT) -g $(WARN) $(filter -fsanitize%,$(CFLAGS)) -I$(BUILD)/include $(LDFLAGS) -o $@ $< -L$(BUILD) -lcriu \
		-Wl,-rpath,$(abspath $(BUILD))
