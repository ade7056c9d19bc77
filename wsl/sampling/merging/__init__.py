"""Model merging: bodies made from the weights of all members, without training. One file per way to merge."""
