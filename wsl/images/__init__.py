"""Decode and resize every image once, into one packed file a class."""
