from tests.helpers.backbones import own_cache, server, tiny, weights_folder

__all__ = ["own_cache", "server", "tiny", "weights_folder"]
