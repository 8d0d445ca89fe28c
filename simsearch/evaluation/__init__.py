"""How good vectors are: figures on arrays, protocols, baselines, and the pictures of a report."""
