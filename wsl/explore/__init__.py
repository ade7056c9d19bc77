"""The interactive page of a run: a map of the shared space, learning curves and the table of methods."""
