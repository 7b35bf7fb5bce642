# SPDX-License-Identifier: GPL-2.0-only
# make install DESTDIR= PREFIX=    what Debian's packages contain, where they have it; make uninstall removes it
# make deb                         Debian packages, in $(BUILD)/deb
# Asked once, and only if it is used.
once = $(eval $(1) := $(shell $(2)))$($(1))
MULTIARCH = $(call once,MULTIARCH,$(CC) -print-multiarch 2>/dev/null)
PYVERSION = $(call once,PYVERSION,/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)
VERSION    := $(LIB_VERSION)
BINDIR     ?= $(PREFIX)/bin
SBINDIR    ?= $(PREFIX)/sbin
LIBDIR     ?= $(PREFIX)/lib$(if $(MULTIARCH),/$(MULTIARCH))
INCLUDEDIR ?= $(PREFIX)/include
UNITDIR    ?= $(PREFIX)/lib/systemd/system
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
MANDIR     ?= $(PREFIX)/share/man
DOCDIR     ?= $(PREFIX)/share/doc/criu
PYTHONDIR  ?= $(if $(filter /usr,$(PREFIX)),/usr/lib/python3,$(PREFIX)/lib/python$(PYVERSION))/dist-packages
BASHDIR    ?= $(PREFIX)/share/bash-completion/completions
ZSHDIR     ?= $(PREFIX)/share/zsh/$(if $(filter /usr,$(PREFIX)),vendor-completions,site-functions)
FISHDIR    ?= $(PREFIX)/share/fish/vendor_completions.d
INSTALLED  := $(BUILD)/install

# What depends on where it is installed is made when it is.
LOCATIONS = PREFIX SBINDIR LIBDIR INCLUDEDIR PYTHONDIR VERSION PIE_ARCH_CFLAGS
TEMPLATES := $(INSTALLED)/criu.pc $(INSTALLED)/compel.pc $(INSTALLED)/crit $(INSTALLED)/criu-migrate $(INSTALLED)/criu.service
$(INSTALLED)/criu.pc: lib/c/criu.pc.in always
$(INSTALLED)/compel.pc: compel/compel.pc.in always
$(INSTALLED)/crit: lib/py/crit.in always
$(INSTALLED)/criu-migrate: lib/py/criu-migrate.in always
$(INSTALLED)/criu.service: systemd/criu.service.in always
$(TEMPLATES):
	@mkdir -p $(@D)
	@sed $(foreach name,$(LOCATIONS),-e 's|@$(name)@|$($(name))|g') $< > $@.$$$$ && mv $@.$$$$ $@
always:

# A page for each function that a page of section 3 names, which refers to it.
MAN3       := $(wildcard Documentation/man3/*.3)
man3_names = $(filter-out $(basename $(notdir $(1))),$(call once,NAMES_$(notdir $(1)),sed -n '/^.SH NAME/{n;s/ \\- .*//;y/$(comma)/ /;p;q}' $(1)))
MAN3_LINKS = $(foreach page,$(MAN3),$(foreach name,$(call man3_names,$(page)),$(INSTALLED)/man3/$(name).3))
$(INSTALLED)/man3.made: $(MAN3)
	@mkdir -p $(INSTALLED)/man3
	@$(foreach page,$(MAN3),$(foreach name,$(call man3_names,$(page)),echo .so man3/$(notdir $(page)) > $(INSTALLED)/man3/$(name).3 &&)) touch $@

# FILE:PLACE:MODE
COMPEL_HEADERS := $(wildcard compel/include/compel/*.h compel/arch/$(ARCH)/include/compel/*.h)
FILES = $(BUILD)/criu:$(SBINDIR)/criu:755 \
	scripts/criu-ns:$(SBINDIR)/criu-ns:755 \
	$(BUILD)/compel:$(BINDIR)/compel:755 \
	$(INSTALLED)/crit:$(BINDIR)/crit:755 \
	$(INSTALLED)/criu-migrate:$(SBINDIR)/criu-migrate:755 \
	$(BUILD)/libcriu.so.2.0:$(LIBDIR)/libcriu.so.2.0:644 \
	$(BUILD)/libcriu.a:$(LIBDIR)/libcriu.a:644 \
	$(BUILD)/libcompel.a:$(LIBDIR)/libcompel.a:644 \
	$(BUILD)/libcompel-pie.a:$(LIBDIR)/libcompel-pie.a:644 \
	$(INSTALLED)/criu.pc:$(LIBDIR)/pkgconfig/criu.pc:644 \
	$(INSTALLED)/compel.pc:$(LIBDIR)/pkgconfig/compel.pc:644 \
	$(foreach h,$(LIB_HEADERS),$(h):$(INCLUDEDIR)/criu/$(notdir $(h)):644) \
	$(foreach h,$(COMPEL_HEADERS),$(h):$(INCLUDEDIR)/compel/$(notdir $(h)):644) \
	$(foreach f,$(wildcard compel/examples/*),$(f):$(DOCDIR)/examples/compel/$(notdir $(f)):644) \
	$(foreach f,$(PY_FILES),$(BUILD)/py/$(f):$(PYTHONDIR)/$(f):644) \
	systemd/criu.socket:$(UNITDIR)/criu.socket:644 \
	$(INSTALLED)/criu.service:$(UNITDIR)/criu.service:644 \
	systemd/tmpfiles.conf:$(TMPFILESDIR)/criu.conf:644 \
	Documentation/criu.8:$(MANDIR)/man8/criu.8:644 \
	Documentation/criu-migrate.8:$(MANDIR)/man8/criu-migrate.8:644 \
	$(foreach f,$(wildcard Documentation/tutorials/*.md),$(f):$(DOCDIR)/tutorials/$(notdir $(f)):644) \
	$(foreach f,$(wildcard Documentation/man1/*.1),$(f):$(MANDIR)/man1/$(notdir $(f)):644) \
	$(foreach f,$(MAN3) $(MAN3_LINKS),$(f):$(MANDIR)/man3/$(notdir $(f)):644) \
	scripts/completion/criu.bash:$(BASHDIR)/criu:644 \
	scripts/completion/criu.zsh:$(ZSHDIR)/_criu:644 \
	scripts/completion/criu.fish:$(FISHDIR)/criu.fish:644
# LINK:TARGET
LINKS = $(LIBDIR)/libcriu.so.2:libcriu.so.2.0 $(LIBDIR)/libcriu.so:libcriu.so.2
# Removed if nothing else is in them.
OWN_DIRS = $(INCLUDEDIR)/criu $(INCLUDEDIR)/compel $(DOCDIR)/examples/compel $(DOCDIR)/examples $(DOCDIR)/tutorials $(DOCDIR) \
	$(PYTHONDIR)/pycriu/images $(PYTHONDIR)/pycriu $(PYTHONDIR)/crit $(PYTHONDIR)/criu_migrate

parts = IFS=:; set -- $$f; unset IFS
install: all $(TEMPLATES) $(INSTALLED)/man3.made
	@set -e; for f in $(FILES); do $(parts); install -D -m "$$3" "$$1" "$(DESTDIR)$$2"; done
	@set -e; for f in $(LINKS); do $(parts); ln -sf "$$2" "$(DESTDIR)$$1"; done
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

uninstall: $(INSTALLED)/man3.made
	@for f in $(FILES); do $(parts); rm -f "$(DESTDIR)$$2"; done
	@for f in $(LINKS); do $(parts); rm -f "$(DESTDIR)$$1"; done
	@for d in $(OWN_DIRS); do rm -rf "$(DESTDIR)$$d/__pycache__"; rmdir "$(DESTDIR)$$d" 2>/dev/null || true; done
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi

# By debhelper (package debhelper), in this folder: nothing is built twice.
deb: all
	@command -v dh >/dev/null || { echo "make deb needs the packages debhelper and dpkg-dev" >&2; exit 1; }
	@mkdir -p $(BUILD)/deb
	@rm -f $(BUILD)/deb/*.deb
	BUILD=$(abspath $(BUILD)) PREFIX= MAKEFLAGS= $(if $(filter 0,$(shell id -u)),,fakeroot) debian/rules binary
	@BUILD=$(abspath $(BUILD)) dh_clean

demo:
	scripts/demo

.PHONY: uninstall deb always

include mk/lint.mk
