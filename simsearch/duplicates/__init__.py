"""Duplicates: `finding` proves and groups them, `removal` applies a plan and undoes it; neither uses the other."""
