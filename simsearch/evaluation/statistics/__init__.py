"""Statistics of scores: curves by threshold, correlation, calibration, confidence intervals.

Pure functions of arrays, which the other modules of `evaluation` use; it uses none of them.
"""
