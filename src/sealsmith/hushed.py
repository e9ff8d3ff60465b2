"""Imported by a fork server, which can be told nothing but what to import, before all else: it is quiet, or not.

Not for: any other process, which calls `quiet.hush_as_begun` itself.
"""

from .quiet import hush_as_begun

hush_as_begun()
