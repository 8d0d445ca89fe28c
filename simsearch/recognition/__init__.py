"""From scores to a label, or to none."""
