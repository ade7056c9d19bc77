"""A run as a whole: its config, classes and plan, disk space, pretrained files, summary."""
