"""A node of ComfyUI: stylizes images with a network of DatNet.

Copy this file to ComfyUI's folder custom_nodes/ and install DatNet into ComfyUI's environment.
"""

from functools import lru_cache

import torch

from datnet import Stylizer

stylizer = lru_cache(maxsize=1)(Stylizer)  # the last network stays loaded


class DatNetStylize:
    """Stylizes each image of a batch with a painting; with as many paintings, each with its own."""

    CATEGORY = "image/style"
    FUNCTION = "stylize"
    RETURN_TYPES = ("IMAGE",)

    @classmethod
    def INPUT_TYPES(cls):  # noqa: N802
        """Describe the inputs; IMAGE is a float tensor (B, H, W, 3) in [0, 1]."""
        return {
            "required": {
                "photographs": ("IMAGE",),
                "paintings": ("IMAGE",),
                "network": ("STRING", {"default": "datnet_full"}),
                "alpha": ("FLOAT", {"default": 1.0, "min": 0.0, "max": 1.0, "step": 0.05}),
                "style_size": ("INT", {"default": 0, "min": 0, "max": 4096}),  # 0: the painting's
            }
        }

    def stylize(self, photographs, paintings, network, alpha, style_size):
        """Return the results, (B, H, W, 3) in [0, 1]."""
        if len(paintings) not in (1, len(photographs)):
            raise ValueError(f"{len(paintings)} paintings for {len(photographs)} photographs")
        pairs = zip(photographs, paintings.expand(len(photographs), -1, -1, -1), strict=True)
        results = [
            stylizer(network)(
                photograph.movedim(-1, 0),
                painting.movedim(-1, 0),
                alpha=alpha,
                style_size=style_size or None,
            )
            for photograph, painting in pairs
        ]
        return (torch.stack([to_tensor(result) for result in results]),)


def to_tensor(image):
    """Convert a Pillow image to a float tensor (H, W, 3) in [0, 1]."""
    levels = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
    return levels.view(image.height, image.width, 3) / 255


NODE_CLASS_MAPPINGS = {"DatNetStylize": DatNetStylize}
NODE_DISPLAY_NAME_MAPPINGS = {"DatNetStylize": "Stylize (DatNet)"}
