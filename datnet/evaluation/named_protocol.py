"""Protocols in files: which pictures, at which size, measured by which metrics.

Another project can read such a file; docs/protocols.md describes it. Its SHA-256 covers all that
decides about values: pictures, pairs, size, cropping and metrics, but no names of people's folders.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from yaml import YAMLError

from datnet.errors import DatNetError
from datnet.evaluation.pairs import Pair, image_called, short_names
from datnet.images.files import write_text
from datnet.images.finding import find_images
from datnet.images.saving import save_image
from datnet.images.tensors import read_square, to_image
from datnet.zoo.configs import plain_values

FOLDER = Path(__file__).parent / "protocols"


@dataclass(frozen=True)
class ProtocolId:
    """The protocol that a result was measured by.

    Attributes:
        name: Its name; empty if the pictures were named on the command line.
        sha256: SHA-256 of what decides about values.
    """

    name: str
    sha256: str


class ProtocolPicture(BaseModel):
    """A picture of a protocol.

    Attributes:
        name: File name, with as many parent folders as needed to tell it from the others.
        sha256: SHA-256 of the file; None if it is not known.
        origin: Where the picture comes from.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(min_length=1)
    sha256: str | None = Field(None, pattern="^[0-9a-f]{64}$")
    origin: str = ""


class NamedProtocol(BaseModel):
    """The content of a protocol file.

    Attributes:
        name: Its name.
        description: For readers.
        size: Side in pixels of the squares that are stylized and measured.
        crop: The short side is resized with antialiasing, then the middle is cropped.
        metrics: Metrics and groups of metrics, as after ``--metrics``; empty for any.
        contents: The photographs.
        styles: The paintings.
        pairs: Names of content and style of each pair; None for each content with each style.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    description: str = ""
    size: int = Field(ge=32)
    crop: Literal["center"] = "center"
    metrics: tuple[str, ...] = ()
    contents: Annotated[tuple[ProtocolPicture, ...], Field(min_length=1)]
    styles: Annotated[tuple[ProtocolPicture, ...], Field(min_length=1)]
    pairs: tuple[tuple[str, str], ...] | None = None

    @property
    def id(self) -> ProtocolId:
        """The name with the SHA-256 of all that decides about values, as canonical JSON."""
        decisive: dict[str, Any] = {
            "size": self.size,
            "crop": self.crop,
            "metrics": self.metrics,
            "contents": [[picture.name, picture.sha256] for picture in self.contents],
            "styles": [[picture.name, picture.sha256] for picture in self.styles],
            "pairs": self.pairs,
        }
        text = json.dumps(decisive, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return ProtocolId(self.name, hashlib.sha256(text.encode()).hexdigest())

    def write(self, path: Path) -> None:
        """Write the protocol to a YAML file."""
        values = self.model_dump(mode="json", exclude_defaults=True)
        values |= {"crop": self.crop, "sha256_of_protocol": self.id.sha256}
        write_text(path, OmegaConf.to_yaml(OmegaConf.create(values)))


def protocol_names() -> list[str]:
    """Return the names of the protocols that come with DatNet."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load_protocol(name: str) -> NamedProtocol:
    """Load a protocol that comes with DatNet, or a file.

    Args:
        name: A name from :func:`protocol_names`, or the path of a YAML file.

    Raises:
        DatNetError: If there is no such protocol, or the file is none or was changed by hand
            without its ``sha256_of_protocol``.
    """
    path = FOLDER / f"{name}.yaml" if name in protocol_names() else Path(name)
    if not path.is_file():
        raise DatNetError(
            f"{name} is neither a protocol nor a file; protocols are: {', '.join(protocol_names())}"
        )
    try:
        values = plain_values(OmegaConf.load(path))
        expected = values.pop("sha256_of_protocol", None)
        protocol = NamedProtocol.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise DatNetError(f"{path} is not a protocol: {place}: {first['msg']}") from error
    except (OSError, ValueError, OmegaConfBaseException, YAMLError) as error:
        reason = " ".join(str(error).split())
        raise DatNetError(f"{path} cannot be read as a protocol: {reason}") from error
    if expected not in (None, protocol.id.sha256):
        raise DatNetError(
            f"{path} was changed: its content has the SHA-256 {protocol.id.sha256[:12]}…, not that "
            "of sha256_of_protocol. Take the original, or give it another name and remove "
            "sha256_of_protocol"
        )
    return protocol


def protocol_of(
    pairs: Sequence[Pair], size: int, name: str = "", metrics: Sequence[str] = ()
) -> NamedProtocol:
    """Describe pairs of files as a protocol.

    Args:
        pairs: Content and style files.
        size: Side of the squares in pixels.
        name: Its name.
        metrics: See :class:`NamedProtocol`.

    Raises:
        DatNetError: If a pair is there twice.
    """
    names = short_names(pairs)
    pictures: tuple[dict[str, ProtocolPicture], ...] = ({}, {})
    for pair, of_pair in zip(pairs, names, strict=True):
        for of_kind, path, short in zip(pictures, pair, of_pair, strict=True):
            if short not in of_kind:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                of_kind[short] = ProtocolPicture(name=short, sha256=digest)
    contents, styles = pictures
    every = [(content, style) for content in contents for style in styles]
    return NamedProtocol(
        name=name,
        size=size,
        metrics=tuple(metrics),
        contents=tuple(contents.values()),
        styles=tuple(styles.values()),
        pairs=None if names == every else tuple(names),
    )


def find_pictures(
    protocol: NamedProtocol, content_dir: Path, style_dir: Path
) -> tuple[NamedProtocol, list[Pair]]:
    """Find the pictures of a protocol in two folders.

    Args:
        protocol: The protocol.
        content_dir: Folder of the contents, at any depth.
        style_dir: Folder of the styles, at any depth.

    Returns:
        The protocol with the SHA-256 of all pictures, and the pairs of files.

    Raises:
        DatNetError: If a picture is missing or another one, or a pair names none of the pictures.
    """
    found: list[dict[str, Path]] = []
    complete: list[tuple[ProtocolPicture, ...]] = []
    for pictures, folder in ((protocol.contents, content_dir), (protocol.styles, style_dir)):
        images = find_images(folder)
        title = f"protocol {protocol.name}, {folder}"
        files = {each.name: image_called(each.name, images, title) for each in pictures}
        digests = {
            name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()
        }
        for each in pictures:
            if each.sha256 not in (None, digests[each.name]):
                raise DatNetError(
                    f"{files[each.name]} is another picture than that of the protocol "
                    f"{protocol.name}: its SHA-256 is {digests[each.name][:12]}…, not "
                    f"{str(each.sha256)[:12]}…"
                )
        found.append(files)
        complete.append(
            tuple(each.model_copy(update={"sha256": digests[each.name]}) for each in pictures)
        )
    contents, styles = found
    names = protocol.pairs or [(content, style) for content in contents for style in styles]
    try:
        pairs = [(contents[content], styles[style]) for content, style in names]
    except KeyError as error:
        raise DatNetError(
            f"the protocol {protocol.name} pairs {error}, which is none of its pictures"
        ) from error
    update = {"contents": complete[0], "styles": complete[1]}
    return protocol.model_copy(update=update), pairs


def export_pictures(protocol: NamedProtocol, pairs: Sequence[Pair], folder: Path) -> int:
    """Write the pictures of a protocol as other programs need them.

    They are PNG squares of exactly the pixels that networks get here, under the names of the
    pictures, so that other programs neither resize nor crop them.

    Args:
        protocol: The protocol.
        pairs: Content and style files.
        folder: Output folder: content/, style/, and protocol.yaml, a protocol of these files.

    Returns:
        The number of pictures.

    Raises:
        DatNetError: If two pictures of a kind differ in folder or suffix only, so that results
            could not be told apart; or a picture cannot be read.
    """
    exported: dict[Path, Path] = {}
    for position, kind in enumerate(("content", "style")):
        for path in dict.fromkeys(pair[position] for pair in pairs):
            file = folder / kind / f"{path.stem}.png"
            if file in exported.values():
                raise DatNetError(
                    f"two pictures are called {path.stem}, up to folder or suffix: rename one, so "
                    "that results can be told apart"
                )
            exported[path] = file
    for path, file in exported.items():
        save_image(to_image(read_square(path, protocol.size)[0]), file)
    own = protocol_of(
        [(exported[content], exported[style]) for content, style in pairs],
        protocol.size,
        f"{protocol.name or 'pictures'}-exported",
        protocol.metrics,
    )
    own.write(folder / "protocol.yaml")
    return len(exported)
