# SPDX-License-Identifier: LGPL-2.1-only
"""crit: the images of criu as JSON, and what is in a directory of them."""
from pycriu import __version__

__all__ = ["__version__"]
