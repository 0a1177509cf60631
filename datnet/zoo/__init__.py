"""Trained networks: their file format, where a name is looked for, backbones, cards."""
