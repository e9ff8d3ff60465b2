"""The HTTP service: pictures and seals in three dialects, our own, OpenAI's and A1111's.

Not for: drawing (engine/), or whose seals there are, which a `Library` (library.py) answers. Importing this imports
no torch; what has to open a stranger's file does so in a process of its own (inspector.py).
"""
