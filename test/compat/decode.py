#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""decode.py DIR: CRIU's own reader (Debian's package criu: pycriu, the basis of crit) must read every image."""
import os
import sys

try:
    import pycriu.images
except ImportError:
    print("pycriu is not installed (Debian: criu)")
    sys.exit(77)

# Without records: what other programs or the kernel have written.
RAW = ("pages-", "ifaddr-", "route-", "route6-", "rule-", "iptables-", "ip6tables-", "nftables-")
bad = 0
top = sys.argv[1]
for name in sorted(os.listdir(top)):
    if not name.endswith(".img") or name.startswith(RAW):
        continue
    try:
        with open(os.path.join(top, name), "rb") as f:
            got = pycriu.images.load(f)
        print(f"{name}: {got['magic']}, {len(got['entries'])} entries")
    except pycriu.images.MagicException as e:
        print(f"{name}: a type unknown to this crit ({e.magic:#x})")
    except Exception as e:  # noqa: BLE001 any failure of the reader is our fault
        print(f"{name}: not readable: {e!r}")
        bad = 1
sys.exit(bad)
