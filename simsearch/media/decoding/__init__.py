"""Decoding: from the bytes of a file to 8-bit pixels in sRGB, as far as they are there.

The rules carry a version, which a collection stores with each content: `index` reads again what the current rules may
read differently.
"""

RULES = 2
"""The version of the rules. 2: color profiles are converted to sRGB; the ground of what is transparent is the one on
which it is visible; 16-bit values of fewer bits are scaled; texts without a known word are refused."""
