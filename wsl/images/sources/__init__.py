"""Image sources, one per file."""
