"""Evaluate reconstructed and sampled models (thesis chapter 4)."""
