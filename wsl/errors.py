"""Errors that a user can mend; their messages name the file or key and the remedy."""


class ConfigError(ValueError):
    """A config that cannot be run."""


class DataError(ValueError):
    """Data on disk that cannot be used as it is."""
