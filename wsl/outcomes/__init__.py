"""Bin validation losses into outcomes (thesis section 3.2.3)."""
