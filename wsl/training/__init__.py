"""Training that all encoders share: optimiser settings, loops, the contrastive loss."""
