"""Read and write video files: frames and sound."""
