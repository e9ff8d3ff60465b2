"""Imported for what it does: what is imported from now on says nothing that nobody here can act on.

diffusers imports torchao where it is installed, which then says which kernels this machine cannot load.
"""

import logging

CHATTY_LOGGERS = ("torchao", "torch.utils._pytree")

for _name in CHATTY_LOGGERS:
    logging.getLogger(_name).setLevel(logging.ERROR)
