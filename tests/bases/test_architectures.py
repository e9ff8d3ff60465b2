"""The shells have the size of the models they stand for. Counts: the published models' weights."""

import pytest

from sealsmith.bases.architectures import PARTS, full_size

NUM_PARAMETERS = {
    ("sd1", "unet"): 859_520_964,
    ("sd1", "text_encoder"): 123_060_480,
    ("sd2", "unet"): 865_910_724,
    ("sd2", "text_encoder"): 340_387_840,
    ("sdxl", "unet"): 2_567_463_684,
    ("sdxl", "text_encoder"): 123_060_480,
    ("sdxl", "text_encoder_2"): 694_659_840,
    ("flux", "transformer"): 11_901_408_320,
    ("flux", "text_encoder"): 123_060_480,
    ("flux", "text_encoder_2"): 4_762_310_656,
}


@pytest.mark.parametrize("name", sorted(PARTS))
def test_a_shell_has_every_weight_and_no_memory(name: str) -> None:
    for component, shell in full_size(name).items():
        parameters = list(shell.parameters())
        assert sum(parameter.numel() for parameter in parameters) == NUM_PARAMETERS[name, component], (
            component
        )
        assert all(parameter.is_meta for parameter in parameters)
