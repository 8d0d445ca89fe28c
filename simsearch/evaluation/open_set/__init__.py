"""Open-set recognition as a whole: enrollment, decisions on known and unknown queries, and probabilities."""
