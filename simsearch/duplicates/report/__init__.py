"""The report of a plan of removals: HTML pages on which each copy is seen beside what is kept.

Uses plans (`removal.plan`) and `media`; nothing here changes files of the user.
"""
