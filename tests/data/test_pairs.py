from __future__ import annotations

import pickle
from collections import Counter
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader

from datnet.data.pair_plan import CONTENT_ORDER, STYLE_ORDER, image_in_turn, plan_pair
from datnet.data.pairs import (
    MOST_ATTEMPTS,
    Batch,
    FixedPairs,
    Pair,
    PairDataset,
    PairSampler,
    collate,
)
from datnet.data.sets import ImageFiles
from datnet.errors import DatNetError

CONTENTS, STYLES = 7, 5


@pytest.fixture
def files(tmp_path: Path) -> tuple[list[Path], list[Path]]:
    """Seven contents and five styles of noise, all different."""
    generator = np.random.default_rng(0)
    sets = []
    for name, count in (("content", CONTENTS), ("style", STYLES)):
        (tmp_path / name).mkdir()
        paths = [tmp_path / name / f"{i}.png" for i in range(count)]
        for path in paths:
            pixels = generator.integers(0, 256, (48, 60, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        sets.append(paths)
    return sets[0], sets[1]


def images_of(paths: list[Path]) -> ImageFiles:
    return ImageFiles(paths[0].parent, [path.name for path in paths])


def dataset(files: tuple[list[Path], list[Path]], **changes: object) -> PairDataset:
    options = {"short_side": 40, "crop_size": 32, "horizontal_flip": True, "seed": 3} | changes
    return PairDataset(*map(images_of, files), **options)  # type: ignore[arg-type]


def assert_same(first: Pair | Batch, second: Pair | Batch) -> None:
    assert torch.equal(first.content, second.content)
    assert torch.equal(first.style, second.style)
    assert first[2:] == second[2:]


# ------------------------------------------------------------------------------------- the plan


def test_plan_is_this_one_on_every_machine() -> None:
    plans = [plan_pair(1, number, CONTENTS, STYLES, True) for number in (0, 1, 1_000_000)]
    assert [(plan.content, plan.style) for plan in plans] == [(5, 1), (0, 4), (4, 3)]
    assert [plan.content_crop.flip for plan in plans] == [True, False, False]
    assert [plan.style_crop.left for plan in plans] == pytest.approx(
        [0.4199991293921922, 0.7310302638277362, 0.7898317242239717], abs=1e-12
    )


@pytest.mark.parametrize(
    ("stream", "count"), [(CONTENT_ORDER, CONTENTS), (STYLE_ORDER, STYLES), (STYLE_ORDER, 1)]
)
def test_every_image_is_seen_once_per_pass(stream: int, count: int) -> None:
    seen = [image_in_turn(5, stream, number, count) for number in range(20 * count)]
    passes = [tuple(seen[start : start + count]) for start in range(0, len(seen), count)]
    assert all(sorted(one) == list(range(count)) for one in passes)
    if count > 1:
        assert len(set(passes)) > 10  # each pass has an order of its own


def test_contents_and_styles_are_drawn_independently() -> None:
    plans = [plan_pair(1, number, 6, 6, False) for number in range(3600)]
    counts = Counter((plan.content, plan.style) for plan in plans)
    assert len(counts) == 36
    assert min(counts.values()) > 50
    assert max(counts.values()) < 160


def test_seeds_give_different_sequences() -> None:
    sequences = {
        tuple(plan_pair(seed, number, 20, 20, True).content for number in range(20))
        for seed in range(10)
    }
    assert len(sequences) == 10


def test_crops_are_spread_evenly_and_independently() -> None:
    plans = [plan_pair(2, number, 3, 3, True) for number in range(2000)]
    crops = np.array(
        [
            (crop.left, crop.top, crop.flip)
            for plan in plans
            for crop in (plan.content_crop, plan.style_crop)
        ],
        dtype=float,
    ).reshape(-1, 6)
    assert crops.min() >= 0
    assert crops.max() <= 1
    assert crops.mean(axis=0) == pytest.approx([0.5] * 6, abs=0.05)
    assert np.corrcoef(crops.T) == pytest.approx(np.eye(6), abs=0.1)


def test_flipping_changes_nothing_else() -> None:
    for number in range(20):
        with_flip = plan_pair(1, number, CONTENTS, STYLES, True)
        without = plan_pair(1, number, CONTENTS, STYLES, False)
        assert not without.content_crop.flip
        assert not without.style_crop.flip
        assert (without.content, without.style) == (with_flip.content, with_flip.style)
        assert without.content_crop.left == with_flip.content_crop.left
        assert without.style_crop.top == with_flip.style_crop.top


# ---------------------------------------------------------------------------------- the dataset


def test_pair_has_tensors_and_paths(files: tuple[list[Path], list[Path]]) -> None:
    pair = dataset(files)[0]
    for tensor in (pair.content, pair.style):
        assert tensor.shape == (3, 32, 32)
        assert tensor.dtype == torch.float32
        assert 0 <= tensor.min() < tensor.max() <= 1
    plan = plan_pair(3, 0, CONTENTS, STYLES, True)
    assert pair.content_path == str(files[0][plan.content])
    assert pair.style_path == str(files[1][plan.style])
    assert pair.skipped == []


def test_pairs_do_not_depend_on_what_was_read_before(
    files: tuple[list[Path], list[Path]],
) -> None:
    numbers = [0, 1, 13, 14, 99, 10**9]
    forward = {number: dataset(files)[number] for number in numbers}
    one_dataset = pickle.loads(pickle.dumps(dataset(files)))
    np.random.seed(1)
    torch.manual_seed(1)
    for number in reversed(numbers):
        assert_same(one_dataset[number], forward[number])


def test_crops_and_flips_of_the_plan_are_those_of_the_pixels(
    files: tuple[list[Path], list[Path]],
) -> None:
    without_resizing = dataset(files, short_side=None)
    for number in range(12):
        plan = plan_pair(3, number, CONTENTS, STYLES, True)
        pair = without_resizing[number]
        for tensor, path, crop in (
            (pair.content, pair.content_path, plan.content_crop),
            (pair.style, pair.style_path, plan.style_crop),
        ):
            x, y = round(crop.left * 28), round(crop.top * 16)
            expected = np.asarray(Image.open(path))[y : y + 32, x : x + 32] / 255
            if crop.flip:
                expected = expected[:, ::-1]
            assert tensor.permute(1, 2, 0).numpy() == pytest.approx(expected, abs=1e-6)


def test_collate_stacks_and_joins(files: tuple[list[Path], list[Path]]) -> None:
    pairs = [dataset(files)[number] for number in range(3)]
    pairs[1] = pairs[1]._replace(skipped=[("a.jpg", "bad"), ("b.jpg", "worse")])
    pairs[2] = pairs[2]._replace(skipped=[("c.jpg", "missing")])
    batch = collate(pairs)
    assert batch.content.shape == batch.style.shape == (3, 3, 32, 32)
    assert torch.equal(batch.style[1], pairs[1].style)
    assert batch.content_path == [pair.content_path for pair in pairs]
    assert batch.style_path == [pair.style_path for pair in pairs]
    assert [path for path, _ in batch.skipped] == ["a.jpg", "b.jpg", "c.jpg"]


# ----------------------------------------------------------------------------- unreadable files


def test_unreadable_file_is_replaced_by_the_next_of_the_pass(
    files: tuple[list[Path], list[Path]],
) -> None:
    order = [image_in_turn(3, CONTENT_ORDER, number, CONTENTS) for number in range(CONTENTS)]
    before = [dataset(files)[number] for number in range(CONTENTS)]
    first, second = files[0][order[CONTENTS - 2]], files[0][order[CONTENTS - 1]]
    first.write_bytes(b"no image")
    second.unlink()
    for _ in range(2):  # the same each time
        after = [dataset(files)[number] for number in range(CONTENTS)]
        for number in range(CONTENTS - 2):
            assert_same(after[number], before[number])
        # From the end of the pass it goes on at its start; crops and the other image stay.
        assert after[-1].content_path == after[-2].content_path == str(files[0][order[0]])
        assert after[-1].style_path == before[-1].style_path
        assert torch.equal(after[-1].style, before[-1].style)
        assert after[-2].skipped == [
            (str(first), after[-2].skipped[0][1]),
            (str(second), "there is no such file"),
        ]
        assert "known format" in after[-2].skipped[0][1]


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((31, 100), "too small: 31 x 100 pixels"),
        ((400, 8), "too small"),
        ((32, 513), "too narrow: 32 x 513"),
        ((1, 5000), "too small"),
    ],
)
def test_images_that_make_no_sense_as_training_data_are_skipped(
    files: tuple[list[Path], list[Path]], size: tuple[int, int], reason: str
) -> None:
    Image.new("RGB", size).save(files[1][2])
    skipped = [file for number in range(STYLES) for file in dataset(files)[number].skipped]
    assert [path for path, _ in skipped] == [str(files[1][2])]
    assert reason in skipped[0][1]


def test_smallest_image_that_is_trained_on(files: tuple[list[Path], list[Path]]) -> None:
    Image.new("RGB", (32, 512)).save(files[1][2])
    assert all(not dataset(files)[number].skipped for number in range(STYLES))


def test_folder_of_unreadable_files_stops_the_run(files: tuple[list[Path], list[Path]]) -> None:
    for path in files[1]:
        path.write_bytes(b"")
    with pytest.raises(DatNetError, match=f"{STYLES} image files in a row.*the file is empty"):
        dataset(files)[0]


def test_many_unreadable_files_in_a_row_stop_the_run(tmp_path: Path) -> None:
    missing = [tmp_path / f"{i}.png" for i in range(10_000)]
    with pytest.raises(DatNetError, match=f"{MOST_ATTEMPTS} image files in a row"):
        dataset((missing, missing))[0]


# -------------------------------------------------------------------------------- fixed pairs


def test_fixed_pairs_are_spread_over_the_files(files: tuple[list[Path], list[Path]]) -> None:
    fixed = FixedPairs(*map(images_of, files), pair_count=3, short_side=None, crop_size=32)
    assert len(fixed) == 3
    pairs = [fixed[number] for number in range(3)]
    assert [pair.content_path for pair in pairs] == [str(files[0][i]) for i in (0, 2, 4)]
    assert [pair.style_path for pair in pairs] == [str(files[1][i]) for i in (0, 1, 3)]
    center = np.asarray(Image.open(files[0][2]))[8:40, 14:46] / 255
    assert pairs[1].content.permute(1, 2, 0).numpy() == pytest.approx(center, abs=1e-6)


def test_more_fixed_pairs_than_files(files: tuple[list[Path], list[Path]]) -> None:
    fixed = FixedPairs(*map(images_of, files), pair_count=10, short_side=None, crop_size=32)
    styles = [int(Path(fixed[number].style_path).stem) for number in range(10)]
    assert styles == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_unreadable_fixed_pair_is_replaced_by_the_next_file(
    files: tuple[list[Path], list[Path]],
) -> None:
    files[0][2].write_bytes(b"")
    fixed = FixedPairs(*map(images_of, files), pair_count=3, short_side=None, crop_size=32)
    assert fixed[1].content_path == str(files[0][3])
    assert fixed[1].skipped == [(str(files[0][2]), "the file is empty")]


# -------------------------------------------------------------------------------- the sampler


def numbers(batch_size: int, rank: int, world_size: int, first_batch: int, count: int) -> list[int]:
    sampler = PairSampler(
        batch_size=batch_size,
        rank=rank,
        world_size=world_size,
        first_batch=lambda: first_batch,
    )
    return list(islice(sampler, count))


def test_sampler_of_one_process_counts() -> None:
    assert numbers(4, 0, 1, 0, 100) == list(range(100))
    assert numbers(4, 0, 1, 5, 3) == [20, 21, 22]


def test_processes_see_together_what_one_with_their_common_batch_sees() -> None:
    for start in (0, 7):
        alone = numbers(6, 0, 1, start, 60)
        ranks = [numbers(2, rank, 3, start, 20) for rank in range(3)]
        for step in range(10):
            together = [n for one in ranks for n in one[step * 2 : step * 2 + 2]]
            assert together == alone[step * 6 : step * 6 + 6]


def test_sampler_asks_for_its_start_at_each_iteration() -> None:
    step = 0
    sampler = PairSampler(batch_size=2, rank=1, world_size=2, first_batch=lambda: step)
    assert list(islice(sampler, 3)) == [2, 3, 6]
    step = 10
    assert list(islice(sampler, 3)) == [42, 43, 46]


def test_number_of_workers_changes_nothing(files: tuple[list[Path], list[Path]]) -> None:
    files[0][3].write_bytes(b"")

    def batches(workers: int) -> list[Batch]:
        sampler = PairSampler(batch_size=3, rank=0, world_size=1, first_batch=lambda: 2)
        loader = DataLoader(
            dataset(files),
            batch_size=3,
            sampler=sampler,
            collate_fn=collate,
            num_workers=workers,
        )
        return list(islice(loader, 6))

    for alone, shared in zip(batches(0), batches(2), strict=True):
        assert isinstance(shared, Batch)
        assert_same(alone, shared)
    assert any(batch.skipped for batch in batches(0))
