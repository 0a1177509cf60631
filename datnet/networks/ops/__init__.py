"""Operators of the networks: tiled attention, strips, Winograd, whitening, reversible blocks."""
