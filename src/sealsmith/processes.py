"""How processes are begun that must not inherit what this one has open: threads, pipes, locks and connections.

A copy of a process that has threads may find a lock that nobody will ever release; one that holds a pipe's end
keeps whoever reads that pipe waiting. Only what can be begun by either of two ways is given to these processes:
their arguments are pickled.
"""

import multiprocessing
from collections.abc import Sequence
from multiprocessing.context import BaseContext


def clean_processes(modules: Sequence[str]) -> BaseContext:
    """Forked from a server that has imported `modules` and opened nothing, where the system can; else begun anew.

    There is one server a process: who asks first says what it imports, and begun processes import what it lacks.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["sealsmith.hushed", *modules])
    return context
