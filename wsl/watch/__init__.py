"""The state of a run as seen from outside; only reads, and needs neither torch nor Snakemake."""
