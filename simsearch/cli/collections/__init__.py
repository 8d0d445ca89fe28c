"""Commands for a collection as a whole: its encoder, files of vectors, copies, formats."""
