"""simsearch dedupe, a module for each step."""
