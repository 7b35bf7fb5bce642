# SPDX-License-Identifier: GPL-2.0-only
CRIU_DIRS := util archive transport image kernel netlink netfilter kmem features task run cpu inspect memory lazy kinds kinds/fd kinds/ns kinds/task dump restore page_server request service cli
CRIU_SRC  := $(foreach d,$(CRIU_DIRS),$(wildcard criu/$(d)/*.c criu/$(d)/*/*.c))
CRIU_SRC  := $(sort $(call of_this_arch,$(CRIU_SRC)))
CRIU_OBJS := $(CRIU_SRC:%.c=$(BUILD)/obj/%.o)
CRIU_LIBS := $(call static_or_shared,protobuf-c) $(call static_or_shared,cap) $(LIBNL) $(LIBARCHIVE) $(LIBCODECS)
# Symbols are bound at the start: otherwise each task of a restore binds by itself those that it uses first.
CRIU_LDFLAGS := -Wl,-z,now
ifeq ($(DEBUG),1)
# Calls that can be made to fail: criu/util/faults.h lists them, one LONG(), INT() or POINTER() each.
CRIU_WRAP := dump_run dump_thaw restore_run compel_finish_begin $(shell tr -d ' \\\n\t' < criu/util/faults.h | grep -oE '(LONG|INT|POINTER)\([a-z0-9_]+\)' | sed 's/.*(//; s/)//')
CRIU_LDFLAGS += $(CRIU_WRAP:%=-Wl,--wrap=%)
endif
BLOBS     := parasite restorer
BLOB_HDRS := $(BLOBS:%=$(BUILD)/gen/%_blob.h)

# One folder per blob: criu/pie/parasite/*.c, criu/pie/restorer/*.c; shared code is in criu/pie/*.c
define blob_rule
$(BUILD)/pie/$(1).blob.o: $$(patsubst %.c,$(BUILD)/obj/%.c.pie.o,$$(wildcard criu/pie/*.c criu/pie/$(1)/*.c criu/pie/$(1)/$$(ARCH)/*.c)) $(COMPEL_PIE_OBJS)
	@mkdir -p $$(@D)
	$(LD) -r -o $$@ $$^
endef
$(foreach b,$(BLOBS),$(eval $(call blob_rule,$(b))))

$(CRIU_OBJS): | $(PROTO_H) $(BLOB_HDRS)

$(BUILD)/criu: $(CRIU_OBJS) $(BUILD)/libcompel.a $(BUILD)/libimages.a
	$(CC) $(LDFLAGS) $(CRIU_LDFLAGS) -o $@ $^ $(CRIU_LIBS)
