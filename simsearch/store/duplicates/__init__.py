"""What the store keeps about duplicates: comparisons by content, and the removals of items."""
