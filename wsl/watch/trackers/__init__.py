"""Trackers: one file for each tool that shows learning curves."""
