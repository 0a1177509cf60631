"""Style transfer networks: pure torch, images in [0, 1] in, images out."""
