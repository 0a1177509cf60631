"""Training objectives, one per method, built from shared loss terms."""
