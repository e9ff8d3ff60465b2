"""Many people's seals in one forward pass: requests of any seals and settings step together on one base.

What it must draw is what `generate` draws, whatever shares its batches; loop.py is where to begin reading. Not for:
whose seals there are, and who may use them.
"""
