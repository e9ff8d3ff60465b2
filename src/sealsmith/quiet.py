"""Keeping libraries from saying on import what nobody here can act on.

diffusers imports torchao where it is installed, which then says which kernels this machine cannot load. How much
a process is to say it learns from `DIFFUSERS_VERBOSITY`, which the command line sets unless it debugs.
"""

import logging
import os

CHATTY_LOGGERS = ("torchao", "torch.utils._pytree")


def hush() -> None:
    """From now on; for a process that has imported none of them yet."""
    for name in CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)


def hush_as_begun() -> None:
    """Where whoever began this process wants to hear of errors alone."""
    if os.environ.get("DIFFUSERS_VERBOSITY") == "error":
        hush()
