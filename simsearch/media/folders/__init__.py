"""What of a folder counts: names that are left out, and whether it is a folder of pictures or of texts."""
