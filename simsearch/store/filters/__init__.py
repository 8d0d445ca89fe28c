"""Conditions of the language of filters as those of SQL, and what is asked of the store with them."""
