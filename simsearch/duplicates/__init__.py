"""Duplicates: `finding` proves and groups them, `removal` applies a plan and undoes it, `report` shows a plan.

`finding` and `removal` do not use each other; `report` uses the plans of `removal`.
"""
