"""Indexes over vectors. Each is loaded by `choose`, so that nothing is imported that is not used."""
