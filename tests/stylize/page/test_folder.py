from __future__ import annotations

from pathlib import Path

from datnet.stylize.page import folder as page_folder
from datnet.stylize.page.limits import Limits
from datnet.stylize.page.server import served
from tests.helpers.visitor import GRADIO, Visitor, free_port, image_bytes, wait_for


def test_no_upload_is_taken_while_the_folder_is_full(visitor, monkeypatch):
    picture = image_bytes(80, 64)
    folder = Path(visitor.upload("picture.png", picture)["path"]).parents[1]
    used = sum(path.stat().st_size for path in folder.rglob("*"))
    monkeypatch.setattr(page_folder, "FULL_BYTES", used + 1)
    visitor.upload("another.png", picture)
    answer = visitor.client.post("gradio_api/upload", files={"files": ("third.png", picture)})
    assert answer.status_code == 507


@GRADIO
def test_what_is_old_is_removed_but_for_the_examples(stylizer, examples, monkeypatch):
    monkeypatch.setattr(page_folder, "KEPT_SECONDS", 0)
    monkeypatch.setattr(page_folder, "TIDYING_SECONDS", 0.1)
    with served({"tiny": stylizer}, Limits(), examples, "127.0.0.1", free_port()) as address:
        visitor = Visitor(address)
        upload = visitor.upload("picture.png", image_bytes(80, 64))
        wait_for(lambda: not Path(upload["path"]).exists())
        assert "here for too long" in visitor.stylize(upload, upload)["error"]
        example = visitor.example()
        assert Path(example["path"]).exists()
