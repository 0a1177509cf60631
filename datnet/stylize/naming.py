"""Names of results, from content, style and the folder of the content."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from datnet.errors import DatNetError
from datnet.images.clips.formats import FORMATS as CLIP_SAVING_FORMATS
from datnet.images.formats import CLIP_SUFFIXES, SAVING_FORMATS
from datnet.stylize.inputs import Inputs


class Names:
    """Names of all results of a command.

    Args:
        contents: The files found for each content argument of the command line.
        paths: The contents to stylize.
        styles: Paintings, or mixtures of them.
    """

    def __init__(
        self, contents: list[Inputs], paths: list[Path], styles: list[tuple[Path, ...]]
    ) -> None:
        searched = [each for each in contents if each.folder is not None]
        roots = [each.folder for each in searched if each.folder is not None]
        self.both_kinds = len({path.suffix.lower() in CLIP_SUFFIXES for path in paths}) == 2
        self.styles = distinct_names([path for mixture in styles for path in mixture])
        self.folders = folders_below(
            roots[0] if len(contents) == len(roots) == 1 else common_folder(paths), paths
        )
        # In an output folder, contents given one by one get no subfolder.
        of_searched = {path for each in searched for path in each.paths}
        found = [path for path in paths if path in of_searched]
        self.mirrored = dict.fromkeys(paths, "")
        if found:
            root = roots[0] if len(roots) == 1 else common_folder([root / "_" for root in roots])
            self.mirrored |= folders_below(root, found)
        self.in_folder: dict[Path, str] = {}
        for folder in set(self.mirrored.values()):
            self.in_folder |= distinct_names([p for p in paths if self.mirrored[p] == folder])

    def place_in(self, folder: Path, content: Path, styles: Iterable[Path]) -> Path:
        """Return the file of a result in an output folder, which mirrors searched subfolders.

        Args:
            folder: The output folder.
            content: The content.
            styles: The paintings.

        Returns:
            The path.
        """
        suffix = ".mp4" if content.suffix.lower() in CLIP_SUFFIXES else ".png"
        name = f"{self.in_folder[content]}__{self.mixture(styles)}{suffix}"
        return folder / self.mirrored[content] / name

    def fill_in(self, pattern: str, content: Path, styles: Iterable[Path]) -> Path:
        """Return the file of a result for a pattern, or for a name without fields.

        If there are photographs and clips, the suffix of the pattern fits only one kind; the others
        get another suffix.

        Args:
            pattern: A file name with fields such as ``{content}``.
            content: The content.
            styles: The paintings.

        Returns:
            The path.

        Raises:
            DatNetError: If the pattern has an unknown field in braces.
        """
        kind = content.suffix.lower()
        values = {
            "folder": self.folders[content],
            "content": content.stem,
            "style": self.mixture(styles),
        }

        def value(field: re.Match[str]) -> str:
            if field[1] not in values:
                raise DatNetError(
                    f"-o {pattern}: {field[0]} is unknown; a pattern can have {{content}} and "
                    "{style}, the names of the pictures without suffix, and {folder}, the folder "
                    "of the content inside the searched one"
                )
            return values[field[1]]

        if not values["folder"]:  # not /name, which would lie in the root folder
            pattern = re.sub(r"\{folder\}[/\\]", "", pattern)
        output = Path(re.sub(r"\{([^{}]*)\}", value, pattern))
        if self.both_kinds and "{" in pattern and kind != ".gif":  # a GIF can be either
            of_other_kind = SAVING_FORMATS if kind in CLIP_SUFFIXES else CLIP_SAVING_FORMATS
            if output.suffix.lower() in of_other_kind:
                return output.with_suffix(".mp4" if kind in CLIP_SUFFIXES else ".png")
        return output

    def mixture(self, styles: Iterable[Path]) -> str:
        """Return the name of a style or of a mixture of styles."""
        return "+".join(self.styles[each] for each in styles)


def common_folder(paths: Sequence[Path]) -> Path:
    """Return the innermost folder that contains all files."""
    return Path(os.path.commonpath([normal(path.parent) for path in paths]))


def folders_below(root: Path, paths: Sequence[Path]) -> dict[Path, str]:
    """Return the folder of each file relative to a root folder.

    Args:
        root: The root folder.
        paths: The files.

    Returns:
        By file, its folder, written with ``/``; empty for the root itself.
    """
    inside = {path: Path(os.path.relpath(normal(path.parent), normal(root))) for path in paths}
    return {path: "" if folder == Path() else folder.as_posix() for path, folder in inside.items()}


def normal(folder: Path) -> str:
    """Return an absolute path without ``..``; links are kept, since users know those names."""
    return os.path.normpath(folder.absolute())


def distinct_names(paths: Sequence[Path]) -> dict[Path, str]:
    """Return a distinct name for each file, without its suffix if that is enough.

    Files in the same folder that differ only in the suffix keep it; files in different folders get
    their folders as a prefix. Case is ignored, as on the disks of many systems.

    Args:
        paths: The files. The names of two that differ only in case may do so, too.

    Returns:
        The names by file.
    """
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        by_stem[path.stem.casefold()].append(path)
    names: dict[Path, str] = {}
    for group in by_stem.values():
        folders = folders_below(common_folder(group), group)
        for path in group:
            of_one_folder = [each for each in group if folders[each] == folders[path]]
            name = path.name if len(of_one_folder) > 1 else path.stem
            names[path] = "_".join([*filter(None, folders[path].split("/")), name])
    return names
