"""How networks are computed: tiles, strips, fast convolutions, whitening, reversible steps."""
