"""Ways to get a model for a task, one file for each or for a few that are closely related."""
