"""A seal as data: reading, writing, checking its file, its algebra, and putting it on a base.

Not for: learning a seal (train/) or drawing with it (generate/).
"""

from .algebra import delta
from .attach import AttachReport, attach, attached, check_base, detach
from .effect import largest_change
from .files import atomic_write, check_writable
from .fuse import fused
from .hashes import FileHashes, file_hash, hash_file, tensor_hash
from .seal import Layer, Seal, SealHeader
from .seal_file import dump_seal, parse_seal, read_seal, write_seal

__all__ = [
    "AttachReport",
    "FileHashes",
    "Layer",
    "Seal",
    "SealHeader",
    "atomic_write",
    "attach",
    "attached",
    "check_base",
    "check_writable",
    "delta",
    "detach",
    "dump_seal",
    "file_hash",
    "fused",
    "hash_file",
    "largest_change",
    "parse_seal",
    "read_seal",
    "tensor_hash",
    "write_seal",
]
