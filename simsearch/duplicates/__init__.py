"""Duplicates: found, grouped, planned, removed and put back."""
