# SPDX-License-Identifier: GPL-2.0-only
# pycriu, crit and criu-migrate: the packages as they are installed, in $(BUILD)/py, with the messages that protoc makes of images/*.proto.
PY_SRC  := $(wildcard lib/py/*/*.py lib/py/*/*/*.py)
PY      := $(BUILD)/py/.complete
PROTOC  ?= protoc

$(PY): $(PY_SRC) $(PROTOS) mk/py.mk
	@rm -rf $(@D)
	@mkdir -p $(@D)/pycriu/images $(@D)/crit $(@D)/criu_migrate
	$(PROTOC) --proto_path=images --python_out=$(@D)/pycriu/images $(PROTOS)
	@sed -i 's/^import \([a-z0-9_]*_pb2\) as /from . import \1 as /' $(@D)/pycriu/images/*_pb2.py
	@printf 'PROTOS = """%s""".split()\n' "$(sort $(PROTOS:images/%.proto=%))" > $(@D)/pycriu/images/_protos.py
	@for f in $(PY_SRC:lib/py/%=%); do cp lib/py/$$f $(@D)/$$f; done
	@touch $@
$(BUILD)/crit $(BUILD)/criu-migrate: $(BUILD)/%: lib/py/%.in
	@mkdir -p $(@D)
	sed 's|@PYTHONDIR@|$(abspath $(BUILD))/py|' $< > $@
	chmod 755 $@

# Relative to $(BUILD)/py
PY_FILES := $(sort $(PY_SRC:lib/py/%=%) pycriu/images/_protos.py \
	$(foreach proto,$(PROTOS:images/%.proto=%),pycriu/images/$(subst -,_,$(proto))_pb2.py))

py: $(PY) $(BUILD)/crit $(BUILD)/criu-migrate
.PHONY: py
