"""Video files: frames and sound, read and written."""
