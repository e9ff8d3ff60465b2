"""How the embedded base was made. Not part of the installed package."""
