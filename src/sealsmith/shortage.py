"""Whether an error means that there is no memory left. Imports no PyTorch: the command line asks before it does."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether Python or PyTorch ran out of memory, on a GPU or here."""
    if isinstance(error, MemoryError):
        return True
    is_gpus = type(error).__name__ == "OutOfMemoryError"
    return isinstance(error, RuntimeError) and (is_gpus or "can't allocate memory" in str(error))
