"""The formats of files that vectors are exchanged in: a module each to write and read."""
