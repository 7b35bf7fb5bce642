# SPDX-License-Identifier: GPL-2.0-only
"""The test runner (test/run). These are the parts that the script tests use, through test/apps/tools.py:"""
from .flavours import prepare_namespaces, unshare_words  # noqa: F401
from .jobs import read_header  # noqa: F401
from .processes import (Failed, command, last_lines, link_of, live_pids, reap, start, statuses, text_of, tree_of,  # noqa: F401
                        wait_for)
from .snapshot import libc, snapshot  # noqa: F401
