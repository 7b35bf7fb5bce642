# SPDX-License-Identifier: LGPL-2.1-only
"""The images of criu, as crit shows them."""
from . import magic, pb, pb2dict
from .images import MagicException, dump, dumps, handlers, info, load, loads

__all__ = ["MagicException", "dump", "dumps", "handlers", "info", "load", "loads", "magic", "pb", "pb2dict"]
