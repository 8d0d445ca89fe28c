"""Files: finding, reading and decoding them, and pictures made of pictures."""
