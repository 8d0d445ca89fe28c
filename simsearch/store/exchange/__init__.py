"""What leaves a store: rows with their vectors, consistent copies; and the formats of older versions."""
