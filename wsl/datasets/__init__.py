"""Dataset embeddings: ordered class means of CLIP features (thesis section 3.2.2), and other encoders of classes."""
