"""A seal as data: reading, writing, checking its file, its algebra, and putting it on a base.

Not for: learning a seal (train/) or drawing with it (generate/).
"""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .algebra import delta
    from .attaching import Attachment, attach, attached, detach, is_attached
    from .changes import Change, Decomposed, Full, Hadamard, Kronecker, LowRank
    from .effect import largest_change
    from .files import atomic_write, check_writable
    from .fit import Fit, fit_seal
    from .fuse import Fusion, fused, is_fused
    from .hashes import FileHashes, file_hash, hash_file, tensor_hash
    from .match import AttachReport, check_base
    from .merge import Loss, Merged, MergeSettings, shrink
    from .merged_seals import MergedSeal, merge_seals
    from .seal import Seal, SealHeader
    from .seal_file import dump_seal, parse_seal, read_seal, write_seal
    from .spectrum import Spectrum, spectra

__all__ = [
    "AttachReport",
    "Attachment",
    "Change",
    "Decomposed",
    "FileHashes",
    "Fit",
    "Full",
    "Fusion",
    "Hadamard",
    "Kronecker",
    "Loss",
    "LowRank",
    "MergeSettings",
    "Merged",
    "MergedSeal",
    "Seal",
    "SealHeader",
    "Spectrum",
    "atomic_write",
    "attach",
    "attached",
    "check_base",
    "check_writable",
    "delta",
    "detach",
    "dump_seal",
    "file_hash",
    "fit_seal",
    "fused",
    "hash_file",
    "is_attached",
    "is_fused",
    "largest_change",
    "merge_seals",
    "parse_seal",
    "read_seal",
    "shrink",
    "spectra",
    "tensor_hash",
    "write_seal",
]

__getattr__ = lazy_names(
    __name__,
    {
        "algebra": ("delta",),
        "attaching": ("Attachment", "attach", "attached", "detach", "is_attached"),
        "changes": ("Change", "Decomposed", "Full", "Hadamard", "Kronecker", "LowRank"),
        "effect": ("largest_change",),
        "files": ("atomic_write", "check_writable"),
        "fit": ("Fit", "fit_seal"),
        "fuse": ("Fusion", "fused", "is_fused"),
        "hashes": ("FileHashes", "file_hash", "hash_file", "tensor_hash"),
        "match": ("AttachReport", "check_base"),
        "merge": ("Loss", "Merged", "MergeSettings", "shrink"),
        "merged_seals": ("MergedSeal", "merge_seals"),
        "seal": ("Seal", "SealHeader"),
        "seal_file": ("dump_seal", "parse_seal", "read_seal", "write_seal"),
        "spectrum": ("Spectrum", "spectra"),
    },
)
