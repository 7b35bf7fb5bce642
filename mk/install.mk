# SPDX-License-Identifier: GPL-2.0-only
# make install DESTDIR= PREFIX=    program, manual page, bash completion
SBINDIR  ?= $(PREFIX)/sbin
MANDIR   ?= $(PREFIX)/share/man
COMPDIR  ?= $(PREFIX)/share/bash-completion/completions

install: $(BUILD)/criu
	install -D -m 755 $(BUILD)/criu $(DESTDIR)$(SBINDIR)/criu
	install -D -m 644 Documentation/criu.8 $(DESTDIR)$(MANDIR)/man8/criu.8
	install -D -m 644 scripts/completion.bash $(DESTDIR)$(COMPDIR)/criu

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/criu $(DESTDIR)$(MANDIR)/man8/criu.8 $(DESTDIR)$(COMPDIR)/criu

demo:
	scripts/demo

.PHONY: uninstall

include mk/lint.mk
