"""The Python interface: finished runs, models sampled from them, and zoos. ``import wsl`` exposes it."""
