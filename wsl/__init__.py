"""One embedding space for network weights, the datasets they were trained on and their results."""

__version__ = "0.1.0"
