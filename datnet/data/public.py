"""Public image sets: addresses, terms of use and checksums."""

from __future__ import annotations

import gzip
import hashlib
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tqdm import tqdm

from datnet.errors import DatNetError
from datnet.images.downloads import SourceError, ask, download

CHECKSUM_TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True)
class PublicSet:
    """A set of images in one archive.

    Attributes:
        title: Description for the user.
        url: Address of the archive.
        terms: Summary of its terms of use, with a link to them.
        size: Size of the archive in bytes, if known.
        sha256: SHA-256 of the archive, if published.
        checksums_url: The Internet Archive's list of checksums for the file.
    """

    title: str
    url: str
    terms: str
    size: int | None = None
    sha256: str = ""
    checksums_url: str = ""

    @property
    def file_name(self) -> str:
        """File name of the archive."""
        return self.url.rpartition("/")[2]


COCO_TERMS = (
    "The makers of COCO do not own the photographs: their use must follow the terms of Flickr, "
    "and whoever uses them answers for it. Annotations (not fetched here) are CC BY 4.0. "
    "https://cocodataset.org/#termsofuse"
)
PUBLIC_SETS = {
    # The SHA-256 values are those that torchvision's datasets and TensorFlow Datasets check.
    "coco": PublicSet(
        "MS-COCO train2014: 82 783 photographs, the content images of the papers",
        "http://images.cocodataset.org/zips/train2014.zip",
        COCO_TERMS,
        13_510_573_713,
        "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
    ),
    "coco2017": PublicSet(
        "MS-COCO train2017: 118 287 photographs",
        "http://images.cocodataset.org/zips/train2017.zip",
        COCO_TERMS,
        19_336_861_798,
        "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
    ),
    # The authors' links, at a university and Google Drive, are reported dead or to give a damaged
    # zip, and they published no checksum (github.com/cs-chan/ArtGAN, issues 4, 14 and 17).
    "wikiart": PublicSet(
        "WikiArt: about 80 000 paintings, the style images of the papers, as the Internet Archive "
        "keeps them",
        "https://archive.org/download/wikiart-dataset/wikiart.tar.gz",
        "The set may be used for non-commercial research only. The pictures come from WikiArt.org, "
        "whose terms apply; some of the paintings are under copyright. "
        "https://github.com/cs-chan/ArtGAN, https://www.wikiart.org/en/terms-of-use",
        checksums_url="https://archive.org/download/wikiart-dataset/wikiart-dataset_files.xml",
    ),
}


def fetch(name: str, folder: Path, mirror: str | None = None) -> tuple[Path, str]:
    """Download a public set, or resume its download, and verify it.

    Args:
        name: A key of ``PUBLIC_SETS``.
        folder: Where to put the archive.
        mirror: Another address of the same archive.

    Returns:
        The archive, and a sentence that says how it was verified.

    Raises:
        DatNetError: If it cannot be fetched, does not fit on the disk or is damaged.
    """
    public = PUBLIC_SETS[name]
    url = mirror or public.url
    path = folder / (url.rpartition("/")[2] or public.file_name)
    published = _published_checksum(public) if public.checksums_url and not mirror else None
    if not path.exists():
        download(url, path, public.size)
    if public.sha256:
        return path, _check_digest(path, "sha256", public.sha256, "the published one")
    if published:
        return path, _check_digest(
            path, "sha1", published, "the one that the Internet Archive lists"
        )
    return path, _check_whole_archive(path)


def _published_checksum(public: PublicSet) -> str | None:
    """Return the SHA-1 that the Internet Archive lists for the archive; None without an answer."""
    try:
        with ask(public.checksums_url, CHECKSUM_TIMEOUT_SECONDS).response as response:
            listing = ElementTree.fromstring(response.read(2**22))
        for file in listing.iter("file"):
            if file.get("name") == public.file_name:
                return file.findtext("sha1")
    except (SourceError, OSError, ElementTree.ParseError):
        pass
    return None


def _check_digest(path: Path, kind: str, expected: str, origin: str) -> str:
    with path.open("rb") as file, _progress(path) as progress:
        digest = hashlib.new(kind)
        while chunk := file.read(2**22):
            digest.update(chunk)
            progress.update(len(chunk))
    if digest.hexdigest() != expected.lower():
        raise DatNetError(
            f"{path} is damaged: its {kind.upper()} is {digest.hexdigest()}, not {expected}. "
            "Remove it and run the command again."
        )
    return f"its {kind.upper()} is {origin}"


def _check_whole_archive(path: Path) -> str:
    """Verify an archive without a published checksum by the checksums inside it."""
    if zipfile.is_zipfile(path):
        return _check_zip(path)
    if path.name.endswith(("gz", "tgz")):
        return _check_gzip(path)
    return "no checksum of it is published, so it is as the server gave it"


def _check_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        damaged = [
            info.filename
            for info in tqdm(archive.infolist(), desc=f"checking {path.name}", unit=" files")
            if not _is_sound(partial(archive.open, info))
        ]
    if not damaged:
        return "no checksum of it is published; every file in it agrees with its own"
    return (
        f"no checksum of it is published; {len(damaged)} files in it are damaged and will be "
        f"skipped: {', '.join(damaged[:3])}{', …' if len(damaged) > 3 else ''}"
    )


def _check_gzip(path: Path) -> str:
    if not _is_sound(partial(gzip.open, path)):
        raise DatNetError(f"{path} is damaged. Remove it and run the command again.")
    return "no checksum of it is published; it agrees with the one that gzip stores"


def _is_sound(open_file: Callable[[], Any]) -> bool:
    try:
        with open_file() as file:
            while file.read(2**22):
                pass
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return False
    return True


def _progress(path: Path) -> tqdm:
    return tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc=f"checking {path.name}")
