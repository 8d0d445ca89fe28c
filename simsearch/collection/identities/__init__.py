"""Identities of a collection: enrolled, recognized, and the calibration of these decisions.

Uses what queries and adding use; the facade is above.
"""
