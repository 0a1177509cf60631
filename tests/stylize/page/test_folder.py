from __future__ import annotations

from pathlib import Path

from datnet.stylize.page.folder import is_full
from datnet.stylize.page.limits import Limits
from datnet.stylize.page.server import served
from tests.helpers.visitor import GRADIO, Visitor, free_port, image_bytes, wait_for


def test_a_folder_is_full_from_its_total_on(tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "file").write_bytes(bytes(600))
    (tmp_path / "two").write_bytes(bytes(400))
    total = 1000 + (tmp_path / "one").stat().st_size
    assert is_full(tmp_path, total)
    assert not is_full(tmp_path, total + 1)


@GRADIO
def test_no_upload_is_taken_while_the_folder_is_full(stylizer, examples):
    limits = Limits(folder_bytes=1)
    with served({"tiny": stylizer}, limits, examples, "127.0.0.1", free_port()) as address:
        picture = {"files": ("picture.png", image_bytes(80, 64))}
        answer = Visitor(address).client.post("gradio_api/upload", files=picture)
        assert answer.status_code == 507


@GRADIO
def test_what_is_old_is_removed_but_for_the_examples(stylizer, examples):
    limits = Limits(kept_seconds=0, tidying_seconds=0.1)
    with served({"tiny": stylizer}, limits, examples, "127.0.0.1", free_port()) as address:
        visitor = Visitor(address)
        upload = visitor.upload("picture.png", image_bytes(80, 64))
        wait_for(lambda: not Path(upload["path"]).exists())
        assert "here for too long" in visitor.stylize(upload, upload)["error"]
        example = visitor.example()
        assert Path(example["path"]).exists()
