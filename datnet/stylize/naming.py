"""How results are called: by their content, their style and the folder of the content."""

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
    """The names of all results of a command.

    Args:
        contents: What was found for every content on the command line.
        paths: The contents that are stylized.
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
        # In a folder of results, files that are named one by one have no subfolder.
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
        """The file of a result in a folder, which mirrors the subfolders of a searched folder."""
        suffix = ".mp4" if content.suffix.lower() in CLIP_SUFFIXES else ".png"
        name = f"{self.in_folder[content]}__{self.mixture(styles)}{suffix}"
        return folder / self.mirrored[content] / name

    def fill_in(self, pattern: str, content: Path, styles: Iterable[Path]) -> Path:
        """The file of a result that a pattern, or a name without fields, stands for.

        Where there are contents of both kinds the pattern's suffix can fit one kind only; the
        others get another.

        Raises:
            DatNetError: If the pattern has a field in braces that is unknown.
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
                    f"-o {pattern}: {field[0]} means nothing; a pattern can have {{content}} and "
                    "{style}, the names of the pictures without suffix, and {folder}, the folder "
                    "of the content inside the one that is searched"
                )
            return values[field[1]]

        if not values["folder"]:  # not /name, which would be at the root of the disk
            pattern = re.sub(r"\{folder\}[/\\]", "", pattern)
        output = Path(re.sub(r"\{([^{}]*)\}", value, pattern))
        if self.both_kinds and "{" in pattern and kind != ".gif":  # which can be either
            of_other_kind = SAVING_FORMATS if kind in CLIP_SUFFIXES else CLIP_SAVING_FORMATS
            if output.suffix.lower() in of_other_kind:
                return output.with_suffix(".mp4" if kind in CLIP_SUFFIXES else ".png")
        return output

    def mixture(self, styles: Iterable[Path]) -> str:
        """The name of a style or a mixture of styles."""
        return "+".join(self.styles[each] for each in styles)


def common_folder(paths: Sequence[Path]) -> Path:
    """The innermost folder in which all files lie."""
    return Path(os.path.commonpath([normal(path.parent) for path in paths]))


def folders_below(root: Path, paths: Sequence[Path]) -> dict[Path, str]:
    """By file, its folder inside a folder, written with ``/``; empty for that folder itself."""
    inside = {path: Path(os.path.relpath(normal(path.parent), normal(root))) for path in paths}
    return {path: "" if folder == Path() else folder.as_posix() for path, folder in inside.items()}


def normal(folder: Path) -> str:
    """An absolute path without ``..``; links stay, for a user knows folders by their names."""
    return os.path.normpath(folder.absolute())


def distinct_names(paths: Sequence[Path]) -> dict[Path, str]:
    """A name for each file: without the suffix where that tells it from all others.

    Files of one folder that differ in the suffix only keep it; those of several folders get the
    folders before their names. Capitals make no difference, as on the disks of many systems.

    Args:
        paths: The files. Two that differ in capitals only may get names that do, too.
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
