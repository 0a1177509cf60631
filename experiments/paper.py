"""Numbers that the DatNet paper publishes."""

from __future__ import annotations

# The paper does not say which LPIPS backbone it used; the package's default is AlexNet.
TABLE_3 = {
    "datnet_spatial": {"ssim": 0.4697, "lpips_alex": 0.5993, "psnr": 13.42},
    "datnet_dual": {"ssim": 0.4780, "lpips_alex": 0.5955, "psnr": 13.50},
    "datnet_full": {"ssim": 0.5950, "lpips_alex": 0.5257, "psnr": 15.12},
}
