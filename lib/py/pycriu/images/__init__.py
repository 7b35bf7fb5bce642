# SPDX-License-Identifier: LGPL-2.1-only
"""The images of criu, as crit shows them."""
from . import magic, pb
from .images import MagicException, dump, dumps, handlers, info, load, loads
from .pb2dict import dict2pb, pb2dict

__all__ = ["MagicException", "dict2pb", "dump", "dumps", "handlers", "info", "load", "loads", "magic", "pb", "pb2dict"]
