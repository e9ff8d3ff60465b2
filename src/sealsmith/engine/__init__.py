"""Many requests, many seals, one base: everybody's rows in one pass of the denoiser.

Not for: single pictures (generate/), against which everything here is tested.
"""
