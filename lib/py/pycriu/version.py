# SPDX-License-Identifier: LGPL-2.1-only
__version__ = "4.2"
