"""What the sections of the config are built from: registries, base classes, distributions."""
