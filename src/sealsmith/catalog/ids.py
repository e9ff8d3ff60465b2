"""Names for things that have none of their own."""

import secrets
import uuid


def new_id() -> str:
    """A name that is used once: 32 hex digits, which say nothing and cannot be guessed."""
    return uuid.uuid4().hex


def new_key_id() -> str:
    """A name for a key, short enough to be read out: 12 hex digits."""
    return secrets.token_hex(6)
