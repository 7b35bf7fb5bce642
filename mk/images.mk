# SPDX-License-Identifier: GPL-2.0-only
# images/*.proto -> $(BUILD)/images/*.pb-c.[ch]
PROTOS     := $(wildcard images/*.proto)
PROTO_C    := $(PROTOS:images/%.proto=$(BUILD)/images/%.pb-c.c)
PROTO_H    := $(PROTO_C:.c=.h)
PROTO_OBJS := $(PROTO_C:.c=.o)

$(BUILD)/images/%.pb-c.c $(BUILD)/images/%.pb-c.h: images/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=images --c_out=$(BUILD)/images $<

$(BUILD)/images/%.o: $(BUILD)/images/%.c | $(PROTO_H)
	$(CC) $(CSTD) $(OPT) -g -I$(BUILD)/images $(if $(filter 1,$(SAN)),-fsanitize=address,) -MMD -MP -c -o $@ $<

$(BUILD)/libimages.a: $(PROTO_OBJS)
	@rm -f $@
	$(AR) rcs $@ $^
