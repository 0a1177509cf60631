"""Results published in the DatNet paper."""

from __future__ import annotations

TITLES = {
    "datnet_full": "DatNet",
    "sanet": "SANet",
    "mccnet": "MCCNet",
    "manet": "MANet",
    "artflow_adain": "ArtFlow",
    "adain": "AdaIN",
    "microast": "MicroAST",
}
"""The networks that the paper compares, in its order, with its titles."""

OTHERS = {
    "stytr2": "StyTr²",
    "cap_vstnet_photorealistic": "CAP-VSTNet, photo",
    "cap_vstnet_artistic": "CAP-VSTNet, art",
    "wct": "WCT",
    "gatys": "Gatys",
}
"""Further networks, shown below those of the paper under the same protocol."""

ALL_TITLES = {**TITLES, **OTHERS}

# The paper names neither its LPIPS backbone (the package's default is AlexNet) nor which of
# ArtFlow's two transfers it used.
TABLE_1 = {
    "datnet_full": {"ssim": 0.5950, "lpips_alex": 0.5257, "psnr": 15.12},
    "sanet": {"ssim": 0.4241, "lpips_alex": 0.5911, "psnr": 13.04},
    "mccnet": {"ssim": 0.5363, "lpips_alex": 0.5077, "psnr": 14.55},
    "manet": {"ssim": 0.4075, "lpips_alex": 0.6143, "psnr": 13.06},
    "artflow_adain": {"ssim": 0.5138, "lpips_alex": 0.5344, "psnr": 13.95},
    "adain": {"ssim": 0.4244, "lpips_alex": 0.5462, "psnr": 14.17},
    "microast": {"ssim": 0.5842, "lpips_alex": 0.4938, "psnr": 14.46},
}

# Millions of parameters; "FLOPs" in billions at 256 × 256, which are multiply-adds (the row of
# MicroAST is the output of the package thop); seconds at 256 × 256 and 512 × 512 on a GTX 1060.
TABLE_2 = {
    "datnet_full": {
        "parameters": 26.71,
        "multiply_adds": 82.97,
        "seconds_256": 0.101,
        "seconds_512": 0.767,
    },
    "sanet": {
        "parameters": 21.12,
        "multiply_adds": 66.24,
        "seconds_256": 0.051,
        "seconds_512": 0.193,
    },
    "mccnet": {
        "parameters": 17.76,
        "multiply_adds": 61.72,
        "seconds_256": 0.075,
        "seconds_512": 0.281,
    },
    "manet": {
        "parameters": 13.74,
        "multiply_adds": 45.99,
        "seconds_256": 0.059,
        "seconds_512": 0.203,
    },
    "artflow_adain": {
        "parameters": 26.46,
        "multiply_adds": 88.09,
        "seconds_256": 0.261,
        "seconds_512": 0.893,
    },
    "adain": {
        "parameters": 7.11,
        "multiply_adds": 45.99,
        "seconds_256": 0.039,
        "seconds_512": 0.141,
    },
    "microast": {
        "parameters": 0.47,
        "multiply_adds": 2.76,
        "seconds_256": 0.014,
        "seconds_512": 0.045,
    },
}

TABLE_3 = {
    "datnet_spatial": {"ssim": 0.4697, "lpips_alex": 0.5993, "psnr": 13.42},
    "datnet_dual": {"ssim": 0.4780, "lpips_alex": 0.5955, "psnr": 13.50},
    "datnet_full": {"ssim": 0.5950, "lpips_alex": 0.5257, "psnr": 15.12},
}
