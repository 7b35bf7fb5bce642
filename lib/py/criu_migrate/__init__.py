# SPDX-License-Identifier: GPL-2.0-only
"""
Moves a running process tree to another host: criu-migrate(8).

The other side is the same program (--receive), started through ssh. Two action scripts make the change of hosts safe:
at the source, `post-dump` runs while the tree is frozen, and a failure lets it continue; at the target, `pre-resume`
runs when the tree is complete but does not run yet, and a failure removes it. So:

    source   dump -> post-dump waits ............ exit 0 -> the tree is killed
    target                 restore -> pre-resume waits ....................... exit 0 -> the tree runs

Until the source has killed its tree, each failure lets it continue there; afterwards the only thing that is left to be
done is to let the copy go. If the program is killed in between, its referee does that. If the network fails in between,
the copy waits, complete and stopped, for `criu-migrate --tell DIR go` at the target.

With --lazy neither script waits at the target: lazy_source.py.
"""

PROTOCOL = 4
