"""Embed datasets as ordered class means of CLIP features (thesis section 3.2.2)."""
