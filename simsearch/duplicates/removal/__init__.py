"""Removing duplicates: plans as files that can be edited, applied under a journal, and undone.

The only part that changes files of the user; uses `media` and below, never `finding`.
"""
