"""What a run looks like from outside while it is made; reads only, and needs neither torch nor Snakemake."""
