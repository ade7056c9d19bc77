"""Compress weights: per-named-parameter PCA and an autoencoder (thesis section 3.2.1)."""
