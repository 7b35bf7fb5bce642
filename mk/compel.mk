# SPDX-License-Identifier: GPL-2.0-only
# libcompel.a (in the tool), the host program `compel` (object file -> header), the runtime of blobs.
COMPEL_SRC  := $(wildcard compel/src/*.c compel/arch/$(ARCH)/*.c compel/arch/$(ARCH)/*.S compel/arch/$(ARCH)/pie/clone.S)
COMPEL_OBJS := $(patsubst %,$(BUILD)/obj/%.o,$(basename $(COMPEL_SRC)))
PACK_SRC    := $(wildcard compel/pack/*.c compel/arch/$(ARCH)/pack/*.c)
PACK_OBJS   := $(PACK_SRC:%.c=$(BUILD)/obj/%.o)
COMPEL_PIE_SRC  := $(wildcard compel/pie/*.c compel/arch/$(ARCH)/pie/*.c) $(wildcard compel/arch/$(ARCH)/pie/*.S)
COMPEL_PIE_OBJS := $(patsubst %,$(BUILD)/obj/%.pie.o,$(COMPEL_PIE_SRC))

# $(BUILD)/compel is the program: its objects are in $(BUILD)/obj
$(BUILD)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/obj/%.c.pie.o: %.c
	@mkdir -p $(@D)
	$(CC) $(PIE_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/obj/%.S.pie.o: %.S
	@mkdir -p $(@D)
	$(CC) $(PIE_CFLAGS) -MMD -MP -c -o $@ $<
$(BUILD)/obj/%.o: %.S
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libcompel.a: $(COMPEL_OBJS)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/compel: $(PACK_OBJS)
	$(CC) $(LDFLAGS) -o $@ $^

# NAME.blob.o is a complete blob in one relocatable object, NAME_blob.h the checked header
$(BUILD)/gen/%_blob.h: $(BUILD)/pie/%.blob.o $(BUILD)/compel
	@mkdir -p $(@D)
	$(BUILD)/compel pack --name $*_blob -o $@ $<

# Tests: compel/test/t_NAME.c, each a program; blobs of tests and examples: X.blob.c
COMPEL_BLOB_SRC  := $(wildcard compel/test/*.blob.c compel/examples/*.blob.c)
COMPEL_BLOB_HDRS := $(patsubst %.blob.c,$(BUILD)/gen/%_blob.h,$(notdir $(COMPEL_BLOB_SRC)))
$(BUILD)/pie/%.blob.o: $(BUILD)/obj/compel/test/%.blob.c.pie.o $(COMPEL_PIE_OBJS)
	@mkdir -p $(@D)
	$(LD) -r -o $@ $^
$(BUILD)/pie/%.blob.o: $(BUILD)/obj/compel/examples/%.blob.c.pie.o $(COMPEL_PIE_OBJS)
	@mkdir -p $(@D)
	$(LD) -r -o $@ $^

COMPEL_TEST_SRC  := $(wildcard compel/test/t_*.c)
COMPEL_TEST_HELP := $(filter-out $(COMPEL_TEST_SRC) $(COMPEL_BLOB_SRC),$(wildcard compel/test/*.c))
COMPEL_TESTS     := $(COMPEL_TEST_SRC:compel/test/%.c=$(BUILD)/compel-tests/%)
COMPEL_EXAMPLES  := $(BUILD)/compel-examples/whereami
COMPEL_USERS     := $(COMPEL_TEST_SRC:%.c=$(BUILD)/obj/%.o) $(COMPEL_TEST_HELP:%.c=$(BUILD)/obj/%.o) \
	$(BUILD)/obj/compel/examples/whereami.o
$(COMPEL_USERS): | $(COMPEL_BLOB_HDRS)

# The calls at which a test can be killed (see compel/test/killer.c)
COMPEL_WRAP := -Wl,--wrap=ptrace,--wrap=waitpid,--wrap=pwrite64
$(BUILD)/compel-tests/%: $(BUILD)/obj/compel/test/%.o $(COMPEL_TEST_HELP:%.c=$(BUILD)/obj/%.o) $(BUILD)/libcompel.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(COMPEL_WRAP) -o $@ $^ -lpthread
$(BUILD)/compel-examples/%: $(BUILD)/obj/compel/examples/%.o $(BUILD)/libcompel.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^

compel-tests: $(COMPEL_TESTS) $(COMPEL_EXAMPLES) $(BUILD)/compel
.PHONY: compel-tests

# The suite runs outside the source folder, and compiles there.
$(BUILD)/obj/compel/test/t_pack.o: CFLAGS += -DTEST_INCLUDE='"$(patsubst -I%,-I$(CURDIR)/%,$(PIE_INCLUDE))"'

# What a blob is linked with, for others: ld -r takes from it what the blob uses.
$(BUILD)/libcompel-pie.a: $(COMPEL_PIE_OBJS)
	@rm -f $@
	$(AR) rcs $@ $^
