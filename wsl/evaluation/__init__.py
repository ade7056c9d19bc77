"""Judge reconstructed and sampled models (thesis chapter 4)."""
