"""Align (D, R) with the weight latents by a contrastive loss (thesis section 3.3)."""
