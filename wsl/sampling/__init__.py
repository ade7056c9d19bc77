"""Decode new models from (D, R) (thesis figure 3.2)."""
