"""Style transfer networks in pure PyTorch: images in [0, 1] in, images out."""
