"""What a server has imported is not gone through again; what comes later is."""

import subprocess
import sys
import textwrap

KEEPS = textwrap.dedent(
    """
    import gc, weakref
    from sealsmith.garbage import keep_what_is_here

    class Ring:
        def __init__(self):
            self.itself = self

    early = weakref.ref(Ring())
    keep_what_is_here()
    later = weakref.ref(Ring())
    kept = gc.get_freeze_count()
    gc.collect()
    print(early() is None, later() is None, kept > 1000, len(gc.get_objects()) < kept)
    """
)


def test_what_is_here_is_kept_and_what_comes_later_is_collected() -> None:
    done = subprocess.run([sys.executable, "-c", KEEPS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["True"] * 4
