"""Commands about identities: enrolling, deciding and calibrating."""
