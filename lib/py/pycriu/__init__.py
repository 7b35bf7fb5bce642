# SPDX-License-Identifier: LGPL-2.1-only
"""Checkpoint and restore from Python: requests to criu (class criu), and its images (module images)."""
from . import images
from . import rpc
from .criu import (CR_DEFAULT_SERVICE_ADDRESS, CRIUException, CRIUExceptionExternal, CRIUExceptionInternal, criu)
from .version import __version__

__all__ = ["CR_DEFAULT_SERVICE_ADDRESS", "CRIUException", "CRIUExceptionExternal", "CRIUExceptionInternal", "criu", "images",
           "rpc", "__version__"]
