# SPDX-License-Identifier: LGPL-2.1-only
"""The messages of the RPC: pycriu.rpc is the module that protoc made of rpc.proto."""
import sys

from .images import rpc_pb2

sys.modules[__name__] = rpc_pb2
