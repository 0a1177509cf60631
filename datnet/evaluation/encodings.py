"""A network that encodes each picture once, however many pairs it is part of."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor, nn

from datnet.errors import DatNetError
from datnet.evaluation.measuring import full_precision
from datnet.evaluation.metrics.features import maps
from datnet.evaluation.targets import Targets
from datnet.images.kept import FirstThatFit, bytes_of, default_limit
from datnet.networks.base import EncoderDecoderNetwork, StyleTransferNetwork


class Encodings:
    """Stylizes pairs of a table's pictures with one network.

    If the network has the encoder of the metrics, its features are not computed again.

    Args:
        network: The network.
        targets: The pictures.
        limit: Bytes that the encoded styles may take; those that do not fit are encoded for each
            pair.
    """

    def __init__(
        self, network: StyleTransferNetwork, targets: Targets, limit: int | None = None
    ) -> None:
        self.network = network
        self.targets = targets
        self._shares_encoder = isinstance(network, EncoderDecoderNetwork) and _same_weights(
            network.encoder, dict(targets.metrics.networks.items()).get("encoder")
        )
        self._styles = FirstThatFit[Path, list[Tensor]](
            default_limit(targets.device) if limit is None else limit, bytes_of
        )
        # Pairs come content by content.
        self._content = lru_cache(maxsize=1)(self._encode_content)

    def stylize(self, content: Path, style: Path) -> Tensor:
        """Stylize one pair, like the network's ``forward``.

        Args:
            content: The content's file.
            style: The style's file.

        Returns:
            ``(1, 3, size, size)``, float RGB in [0, 1].
        """
        of_style = self._styles.get(style, lambda: self._encode_style(style))
        size = self.targets.size
        images = self.network.generate(self._content(content), of_style, (size, size))
        return images.float().clamp(0, 1)

    def _encode_content(self, path: Path) -> list[Tensor]:
        if self._shares_encoder:
            return self._from_features(path)
        return self.network.encode_content(self.targets.picture(path).pixels.clone())

    def _encode_style(self, path: Path) -> list[Tensor]:
        if self._shares_encoder:
            return self._from_features(path)
        try:
            return self.network.encode_style(self.targets.picture(path).pixels.clone())
        except DatNetError as error:  # a painting that the network does not know
            raise DatNetError(f"{path}: {error}") from error

    def _from_features(self, path: Path) -> list[Tensor]:
        assert isinstance(self.network, EncoderDecoderNetwork)
        picture = self.targets.picture(path)
        with full_precision(picture.pixels.device):
            features = picture.once(maps)[: self.network.encoder_depth]
        return self.network.transfer_inputs(features, picture.pixels.shape[2:])


def _same_weights(encoder: nn.Module, other: nn.Module | None) -> bool:
    """Whether two encoders compute the same."""
    if encoder is other:
        return True
    if type(encoder) is not type(other):
        return False
    assert other is not None
    ours, theirs = encoder.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        ours[name].dtype == theirs[name].dtype and torch.equal(ours[name], theirs[name])
        for name in ours
    )
