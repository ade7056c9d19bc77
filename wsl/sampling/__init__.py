"""Sample models for a dataset D and an outcome R (thesis, figure 3.2)."""
