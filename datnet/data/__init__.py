"""Training data: pairs of image tensors from folders and shards."""
