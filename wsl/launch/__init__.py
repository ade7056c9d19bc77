"""What happens around Snakemake: how it is started and followed, what its terminal shows, and how it is stopped."""
