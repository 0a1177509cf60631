"""Stylizes a photograph with a network from `datnet export`; needs neither DatNet nor torch.

pip install onnxruntime pillow numpy
datnet export microast -o microast.onnx
python onnx_stylize.py microast.onnx photo.jpg painting.jpg -o result.png --alpha 0.8
"""

import argparse
import json

import numpy as np
import onnxruntime
from PIL import Image, ImageOps


def read(path, short_side=None):
    """Read an image.

    Args:
        path: The file.
        short_side: Maximum length of the shorter side in pixels; None for any length.

    Returns:
        The image in RGB, reduced if necessary.
    """
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    if short_side and min(image.size) > short_side:
        scale = short_side / min(image.size)
        image = image.resize(
            [max(short_side, round(side * scale)) for side in image.size], Image.Resampling.BICUBIC
        )
    return image


def to_array(image):
    """Convert an image to a float32 array (1, 3, H, W) in [0, 1]."""
    return np.asarray(image, dtype=np.float32).transpose(2, 0, 1)[None] / 255


def main():
    """Read the command line, stylize and save."""
    parser = argparse.ArgumentParser(description="Stylize a photograph with an ONNX network.")
    parser.add_argument("network")
    parser.add_argument("content")
    parser.add_argument("style")
    parser.add_argument("-o", "--output", default="result.png")
    parser.add_argument("--alpha", type=float, default=1.0, help="strength of the style, 0 to 1")
    parser.add_argument("--size", type=int, help="reduce the content's shorter side to this")
    arguments = parser.parse_args()
    if not 0 <= arguments.alpha <= 1:
        parser.error("alpha must be between 0 and 1")

    session = onnxruntime.InferenceSession(
        arguments.network, providers=onnxruntime.get_available_providers()
    )
    header = session.get_modelmeta().custom_metadata_map.get("datnet", "{}")
    print("network:", json.loads(header).get("name", "unknown"))

    content = read(arguments.content, arguments.size)
    inputs = {
        "content": to_array(content),
        "style": to_array(read(arguments.style, min(content.size))),
        "alpha": np.array(arguments.alpha, dtype=np.float32),
    }
    # A network exported with --no-alpha has no such input.
    inputs = {each.name: inputs[each.name] for each in session.get_inputs()}
    (result,) = session.run(["result"], inputs)

    levels = np.rint(result[0].transpose(1, 2, 0) * 255).astype(np.uint8)
    Image.fromarray(levels).save(arguments.output)
    print("wrote", arguments.output)


if __name__ == "__main__":
    main()
