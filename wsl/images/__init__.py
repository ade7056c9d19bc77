"""Images: every image is decoded and scaled once, into one packed file per class."""
