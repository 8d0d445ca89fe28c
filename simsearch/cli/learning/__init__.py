"""Commands that make encoders and measure them."""
