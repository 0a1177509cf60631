"""Reading and writing images and clips: decoding, colors, resizing, downloads, atomic writes."""
