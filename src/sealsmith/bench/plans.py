"""What every plan of a benchmark has in common."""

from ..errors import ConfigError


def check_counts(plan: object, *names: str) -> None:
    """Counts that may be None, which leaves them to the base. Raises: ConfigError for one below 1."""
    for name in names:
        count = getattr(plan, name)
        if count is not None and count < 1:
            raise ConfigError(f"the plan's {name} is {count}", "give at least 1")
