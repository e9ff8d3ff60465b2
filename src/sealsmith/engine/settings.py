"""What an engine is allowed, as a value."""

from dataclasses import dataclass

from ..errors import ConfigError


@dataclass(frozen=True)
class EngineSettings:
    """How much at once, and how exactly. Raises: ConfigError for a limit below its least."""

    max_rows: int = 16
    """Rows of one pass: two a picture with guidance, one without."""
    max_underway_rows: int = 16
    """Rows of all pictures underway, those that cannot share a pass together."""
    deterministic: bool = False
    """Every pass is one picture's, and no way through a layer depends on the others: the same bytes whoever else
    is here, on one machine with one number of threads."""
    fetch_ahead: int = 8
    """Orders of each tenant whose seals are fetched while they wait."""
    merged_turns: int = 8
    """Turns for which pictures with their seals in the weights keep them there while others wait."""
    merge_for_speed: bool = False
    """Measure at start what merging costs, and put into the weights the seals of pictures that all have the same,
    where that is sooner done. Seals that can only be merged are in any case."""
    max_decoded: int = 4
    """Pictures decoded at once."""
    pool_bytes: int = 512 << 20
    """Of the pool in which the seals of the pictures underway lie, and of those that were."""
    fold_bytes: int = 256 << 20
    """For copies of layers' weights with seals in them, where those are quicker."""
    prompt_bytes: int = 256 << 20
    """Of the prompts that are kept as the denoiser reads them."""

    def __post_init__(self) -> None:
        least = {"max_rows": 2, "max_underway_rows": 2, "fetch_ahead": 1, "merged_turns": 1, "max_decoded": 1}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ConfigError(f"the engine's {name} is {getattr(self, name)}", f"give at least {low}")
