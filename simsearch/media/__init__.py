"""Files: finding, reading and decoding pictures, texts and tables, and contact sheets made of pictures.

Uses the manifest, types, progress and errors only; Pillow is imported here alone.
"""
