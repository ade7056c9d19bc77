"""What surrounds the function of each job: log, device, progress, history, digest of its code."""
