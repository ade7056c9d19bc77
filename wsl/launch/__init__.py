"""How Snakemake is started, followed and stopped, and what it prints."""
