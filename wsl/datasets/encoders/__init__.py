"""Dataset encoders, one per file."""
