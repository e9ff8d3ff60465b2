"""Python's collection of garbage, kept from going through what stays until the end anyway.

A server or an engine has imported half a million objects before its first request. To go through all of them takes
a fifth of a second, in which it does nothing else (docs/log.md).
"""

import gc


def keep_what_is_here() -> None:
    """Collects once, and from now on only what comes later. For a process that has begun what it is for."""
    gc.collect()
    gc.freeze()
