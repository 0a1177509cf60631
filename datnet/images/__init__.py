"""Files to pictures and back: decoding, colors, sizes, clips, downloads, complete files."""
