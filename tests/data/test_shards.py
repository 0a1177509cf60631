"""Shards and folders, here and on another machine, as sets of images to train on."""

from __future__ import annotations

import http.server
import json
import pickle
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from datnet.data.datamodule import ContentStyleDataModule
from datnet.data.pairs import PairDataset, PairSampler, collate
from datnet.data.prepare import prepare
from datnet.data.sets import open_images
from datnet.data.shard_writing import Settings
from datnet.data.shards import ENTRY, Shards
from datnet.errors import DatNetError
from datnet.images import remote
from datnet.images.errors import UnreadableImageError

IMAGES = 7


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``photos``: JPEGs that fit as they are, and ``shards``: the same, prepared."""
    top = tmp_path_factory.mktemp("images")
    (top / "photos" / "more").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for i in range(IMAGES):
        pixels = generator.integers(0, 256, (64, 70 + i, 3), dtype=np.uint8)
        name = f"more/{i}.jpg" if i % 2 else f"a b#{i}.jpg"
        Image.fromarray(pixels).save(top / "photos" / name, quality=90)
    prepare([top / "photos"], top / "shards", Settings(64, 95, 3), processes=1)
    return top


@pytest.fixture
def shards(folders: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    (tmp_path / "copy").mkdir()
    for path in (folders / "shards").iterdir():
        (tmp_path / "copy" / path.name).write_bytes(path.read_bytes())
    return tmp_path / "copy"


class Server:
    """Serves a folder on 127.0.0.1, ranges and lists of folders included."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ranges: list[str] = []
        self.failures = 0
        self.knows_ranges = True
        server = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def translate_path(self, path: str) -> str:
                return str(server.folder / unquote(path).lstrip("/"))

            def do_GET(self) -> None:
                wanted = self.headers.get("Range")
                if server.failures:
                    server.failures -= 1
                    self.send_error(503)
                elif wanted and server.knows_ranges:
                    server.ranges.append(wanted)
                    first, last = (int(end) for end in wanted.removeprefix("bytes=").split("-"))
                    content = Path(self.translate_path(self.path)).read_bytes()
                    part = content[first : last + 1]
                    self.send_response(206)
                    total = len(content)
                    self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
                    self.send_header("Content-Length", str(len(part)))
                    self.end_headers()
                    self.wfile.write(part)
                else:
                    super().do_GET()

            def log_message(self, *args: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def server(folders: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(remote, "WAITS", (0.0, 0.0))
    server = Server(folders)
    yield server
    server.http.shutdown()
    server.http.server_close()


def dataset(location: Path | str, seed: int = 3) -> PairDataset:
    images = open_images(location)
    return PairDataset(images, images, short_side=64, crop_size=48, horizontal_flip=True, seed=seed)


# -------------------------------------------------------------------------------------- reading


def test_pairs_of_shards_are_those_of_the_folder(folders: Path) -> None:
    """If every file was copied unchanged, to the last bit."""
    for number in (0, 1, 20, 10**9):
        first, second = (dataset(folders / name)[number] for name in ("photos", "shards"))
        assert torch.equal(first.content, second.content)
        assert torch.equal(first.style, second.style)


def test_shards_survive_the_way_to_another_process(folders: Path) -> None:
    shards = Shards(folders / "shards")
    pickled = pickle.dumps(shards)
    assert len(pickled) < 2000  # the index is mapped again, not sent
    again = pickle.loads(pickled)
    assert [again.content(i) for i in range(IMAGES)] == [shards.content(i) for i in range(IMAGES)]


def test_index_is_mapped_and_not_read(folders: Path) -> None:
    base = Shards(folders / "shards").entries
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)


def test_data_module_takes_folders_and_shards_alike(folders: Path) -> None:
    module = ContentStyleDataModule(
        content_dir=folders / "photos", style_dir=folders / "shards", short_side=64, crop_size=48
    )
    assert module.image_counts() == {"content": IMAGES, "style": IMAGES}
    batch = next(iter(module.val_dataloader()))
    assert batch.style_path[0] == f"{folders / 'shards'}/images-00000.tar/000000000.jpg"
    assert batch.content_path[0] == str(folders / "photos" / "a b#0.jpg")
    assert torch.equal(batch.content, batch.style)


def test_data_module_refuses_shards_of_smaller_images(folders: Path) -> None:
    module = ContentStyleDataModule(content_dir=folders / "shards", style_dir=folders / "photos")
    with pytest.raises(
        DatNetError, match="prepared for a short_side of 64, which is less than 512"
    ):
        module.check()
    module.short_side = None
    module.crop_size = 32
    module.check()
    late = {"late_from_step": 3, "late_crop_size": 48, "late_short_side": 96}
    own = {"content_dir": folders / "photos", "style_dir": folders / "photos"}
    common = {"short_side": 64, "crop_size": 48, **late}
    ContentStyleDataModule(**own, validation_style_dir=folders / "shards", **common).check()
    with pytest.raises(DatNetError, match=r"data\.late_short_side=64"):
        ContentStyleDataModule(**own | {"style_dir": folders / "shards"}, **common).check()


def test_each_folder_is_listed_once(
    folders: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    listed: list[str] = []
    scandir = __import__("os").scandir
    monkeypatch.setattr("os.scandir", lambda path: listed.append(str(path)) or scandir(path))
    monkeypatch.chdir(folders)
    module = ContentStyleDataModule(
        content_dir="photos",
        style_dir=f"{folders}/photos/",
        validation_style_dir=folders / "photos",
        short_side=64,
        crop_size=48,
    )
    module.check()
    module.setup("fit")
    module.image_counts()
    module.val_dataloader()
    assert sorted(listed) == [str(folders / "photos"), str(folders / "photos" / "more")]


# -------------------------------------------------------------------------------------- damage


def test_damaged_image_is_named_and_replaced(shards: Path) -> None:
    opened = Shards(shards)
    entry = opened.entries[4]
    path = shards / f"images-{entry['shard']:05}.tar"
    content = bytearray(path.read_bytes())
    content[int(entry["offset"]) + 200] ^= 1
    path.write_bytes(content)
    with pytest.raises(
        UnreadableImageError, match=r"images-00001\.tar/000000004\.jpg: .*damaged here"
    ):
        opened.read(4, None)
    opened.read(3, None)
    skipped = {name for number in range(IMAGES) for name, _ in dataset(shards)[number].skipped}
    assert skipped == {opened.name(4)}


def test_shard_that_was_not_copied_to_its_end(shards: Path) -> None:
    path = shards / "images-00002.tar"
    path.write_bytes(path.read_bytes()[:600])
    with pytest.raises(UnreadableImageError, match=r"images-00002\.tar.*damaged here"):
        Shards(shards).content(6)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "images-00001.tar",
            None,
            r"images-00001\.tar is damaged: it and 0 other shards are missing",
        ),
        ("index.npy", None, "index.npy is damaged"),
        ("index.npy", b"\x93NUMPY", "index.npy is damaged"),
        ("index.npy", b"", "index.npy is damaged"),
        ("index.json", b"{", "index.json is damaged"),
        ("index.json", b"[]", "index.json is damaged"),
        ("index.json", b'{"format": "datnet shards 2"}', "of format 'datnet shards 2'"),
        ("index.json", b'{"format": "datnet shards 1", "images": "many"}', "index.json is damaged"),
    ],
)
def test_damaged_index_is_refused(
    shards: Path, name: str, content: bytes | None, message: str
) -> None:
    (shards / name).unlink()
    if content is not None:
        (shards / name).write_bytes(content)
    with pytest.raises(DatNetError, match=message):
        Shards(shards)


def test_index_that_belongs_to_other_shards(shards: Path) -> None:
    np.save(shards / "index.npy", np.zeros(IMAGES, ENTRY)[:-1])
    with pytest.raises(DatNetError, match=r"does not match index\.json"):
        open_images(shards)
    np.save(shards / "index.npy", np.zeros(IMAGES))
    with pytest.raises(DatNetError, match=r"does not match index\.json"):
        open_images(shards)
    np.save(shards / "index.npy", np.array([object()]), allow_pickle=True)  # code, perhaps
    with pytest.raises(DatNetError, match=r"index\.npy is damaged"):
        open_images(shards)


def test_archive_in_place_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "train2014.zip").touch()
    with pytest.raises(DatNetError, match=r"datnet data prepare .*train2014\.zip -o FOLDER"):
        open_images(tmp_path / "train2014.zip")


# ------------------------------------------------------------------------------ another machine


@pytest.mark.parametrize("name", ["shards", "photos"])
def test_remote_pairs_are_the_local_ones(folders: Path, server: Server, name: str) -> None:
    here, there = open_images(folders / name), open_images(f"{server.url}/{name}/")
    assert len(here) == len(there) == IMAGES
    assert here.fingerprint() == there.fingerprint()
    assert there.name(0).startswith(f"{server.url}/{name}/")
    for number in (0, 11):
        first = dataset(folders / name)[number]
        second = dataset(f"{server.url}/{name}")[number]
        assert torch.equal(first.content, second.content)
        assert torch.equal(first.style, second.style)


def test_of_remote_shards_only_the_image_is_read(folders: Path, server: Server) -> None:
    there = Shards(f"{server.url}/shards")
    start, size = int(there.entries[5]["offset"]), int(there.entries[5]["size"])
    there.read(5, None)
    assert server.ranges == [f"bytes={start}-{start + size - 1}"]


def test_remote_shards_in_workers(folders: Path, server: Server) -> None:
    """Although the connection's event loop does not survive a fork."""

    def batches(location: Path | str) -> list[torch.Tensor]:
        pairs = dataset(location)
        pairs[0]  # opens a connection here
        sampler = PairSampler(batch_size=2, rank=0, world_size=1, first_batch=lambda: 0)
        loader = DataLoader(pairs, batch_size=2, sampler=sampler, collate_fn=collate, num_workers=2)
        return [batch.content for batch in islice(loader, 3)]

    for here, there in zip(
        batches(folders / "shards"), batches(f"{server.url}/shards"), strict=True
    ):
        assert torch.equal(here, there)


def test_short_failure_of_the_network_changes_nothing(server: Server) -> None:
    there = Shards(f"{server.url}/shards")
    server.failures = 2
    assert there.read(2, None).size == (74, 64)


def test_lasting_failure_stops_the_run_instead_of_changing_it(server: Server) -> None:
    pairs = dataset(f"{server.url}/shards")
    server.failures = 10**9
    with pytest.raises(DatNetError, match=r"images-0000.\.tar cannot be read: 503"):
        pairs[0]


def test_server_without_ranges(server: Server) -> None:
    there = Shards(f"{server.url}/shards")
    server.knows_ranges = False
    with pytest.raises(DatNetError, match="sends whole files when a part is requested"):
        there.read(0, None)


def test_addresses_with_nothing_behind(server: Server, tmp_path: Path) -> None:
    server.folder = tmp_path
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatNetError, match=r"neither index\.json nor an image"):
        open_images(f"{server.url}/empty")
    with pytest.raises(DatNetError, match="cannot be read"):
        open_images("nonsense://bucket/shards")


def test_missing_remote_file_is_replaced(folders: Path, server: Server) -> None:
    pairs = dataset(f"{server.url}/photos")
    gone = pairs.contents.name(2)
    pairs.contents.names[2] = "gone.jpg"  # type: ignore[attr-defined]
    assert gone != pairs.contents.name(2)
    skipped = {file for number in range(IMAGES) for file in pairs[number].skipped}
    assert skipped == {(f"{server.url}/photos/gone.jpg", "there is no such file")}


def test_index_json_is_readable_by_others(folders: Path) -> None:
    about = json.loads((folders / "shards" / "index.json").read_text())
    assert about["images"] == IMAGES
    assert about["shards"] == 3
    assert about["summary"]["counts"] == {"taken": IMAGES, "converted": 0, "skipped": 0}
