"""Reads what wandb wrote offline: a LevelDB log of protocol buffers."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from wandb.proto.wandb_internal_pb2 import Record

BLOCK = 32768
HEADER = 7
FULL, FIRST, LAST = 1, 2, 4


def records(path: Path) -> list[Record]:
    content = path.read_bytes()
    found, pending, position = [], b"", 7  # after the file's own header
    while position + HEADER <= len(content):
        if BLOCK - position % BLOCK < HEADER:
            position += BLOCK - position % BLOCK
            continue
        _, length, kind = struct.unpack("<IHB", content[position : position + HEADER])
        chunk = content[position + HEADER : position + HEADER + length]
        pending = chunk if kind in (FULL, FIRST) else pending + chunk
        if kind in (FULL, LAST):
            record = Record()
            record.ParseFromString(pending)
            found.append(record)
        position += HEADER + length
    return found


class WandbRun:
    """The parts of a run: name, group, tags, id, config, history rows by their keys."""

    def __init__(self, path: Path) -> None:
        self.config: dict[str, Any] = {}
        self.history: list[dict[str, Any]] = []
        self.files: list[str] = []
        for record in records(path):
            if record.HasField("run"):
                self.run = record.run
                updates = record.run.config.update
            else:
                updates = record.config.update
            self.config |= {item.key: json.loads(item.value_json) for item in updates if item.key}
            if record.HasField("history"):
                self.history.append(
                    {
                        item.key or "/".join(item.nested_key): json.loads(item.value_json)
                        for item in record.history.item
                    }
                )
            self.files += [file.path for file in record.files.files]
