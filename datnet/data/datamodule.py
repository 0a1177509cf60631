"""Training and validation data of a run, from two folders of images or shards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from annotated_types import Ge
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader

from datnet.data.pairs import FixedPairs, LateCrops, Pair, PairDataset, PairSampler, collate
from datnet.data.sets import ImageSet, open_images
from datnet.data.suitable import SMALLEST_SIDE
from datnet.errors import DatNetError
from datnet.images.embedded import FOLDER, VERSION, sample_images
from datnet.images.remote import is_remote
from datnet.zoo.values import annotations_of, converted


class ContentStyleDataModule(LightningDataModule):
    """Pairs of content and style images from two folders, for a ``Trainer``.

    A folder holds image files, or shards made by ``datnet data prepare``, which load several times
    faster. It may be on another machine: ``https://…``, ``s3://…``, see
    :mod:`datnet.images.remote`.

    The training loader is endless and continues at the trainer's step, so a resumed run sees the
    same pairs as an uninterrupted one. It divides the pairs among processes itself, so the trainer
    needs ``use_distributed_sampler=False``.

    >>> data = ContentStyleDataModule(crop_size=64, batch_size=2, num_workers=0)
    >>> data.setup("fit")
    >>> batch = next(iter(data.val_dataloader()))
    >>> batch.content.shape, batch.style.shape
    (torch.Size([2, 3, 64, 64]), torch.Size([2, 3, 64, 64]))

    Args:
        content_dir: Folder of content images, with its subfolders. ``None`` takes the embedded
            sample set.
        style_dir: Folder of style images, likewise.
        validation_content_dir: Folder of content images for validation. ``None`` takes those of
            training, or the evaluation images of the sample set.
        validation_style_dir: Folder of style images for validation, likewise.
        short_side: Shorter side that images are resized to, in pixels, keeping the aspect ratio.
            ``None`` keeps the size of images, but enlarges those smaller than ``crop_size``.
        crop_size: Side of the square crops, in pixels.
        horizontal_flip: Whether to mirror each image with probability 1/2.
        batch_size: Pairs per process and batch.
        num_workers: Processes that read images; 0 reads in the main process.
        validation_pairs: Number of fixed validation pairs. Every process validates on all.
        seed: Seed of the sequence of pairs, 0 or more.
        licence: License of the pictures, as text for the model card.
        late_from_step: First step whose training crops have ``late_crop_size``; ``None`` for
            never. Small crops make the many early steps cheap; large ones at the end show the
            network the scale at which it is used.
        late_crop_size: Side of the late crops, in pixels; required with ``late_from_step``.
        late_short_side: ``short_side`` of the late crops.
        whole_styles: Whether styles are the center squares of their images, resized to the size of
            the crops, and never mirrored: for networks that learn certain paintings. Validation
            then takes the training styles unless ``validation_style_dir`` is given.
    """

    def __init__(
        self,
        *,
        content_dir: str | Path | None = None,
        style_dir: str | Path | None = None,
        validation_content_dir: str | Path | None = None,
        validation_style_dir: str | Path | None = None,
        short_side: int | None = 512,
        crop_size: Annotated[int, Ge(SMALLEST_SIDE)] = 256,
        horizontal_flip: bool = False,
        batch_size: Annotated[int, Ge(1)] = 8,
        num_workers: Annotated[int, Ge(0)] = 2,
        validation_pairs: Annotated[int, Ge(1)] = 8,
        seed: Annotated[int, Ge(0)] = 1,
        licence: str | None = None,
        late_from_step: Annotated[int, Ge(0)] | None = None,
        late_crop_size: Annotated[int, Ge(SMALLEST_SIDE)] | None = None,
        late_short_side: int | None = None,
        whole_styles: bool = False,
    ) -> None:
        super().__init__()
        if content_dir is None:
            content_dir = sample_images().train_content
            validation_content_dir = validation_content_dir or sample_images().eval_content
        if style_dir is None:
            style_dir = sample_images().train_style
            if not whole_styles:
                validation_style_dir = validation_style_dir or sample_images().eval_style
        self.content_dir = _place(content_dir)
        self.style_dir = _place(style_dir)
        self.validation_content_dir = _place(validation_content_dir or content_dir)
        self.validation_style_dir = _place(validation_style_dir or style_dir)
        self.short_side = short_side
        self.crop_size = crop_size
        self.horizontal_flip = horizontal_flip
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.validation_pairs = validation_pairs
        self.seed = seed
        self.licence = licence
        self.late_from_step = late_from_step
        self.late_crop_size = late_crop_size
        self.late_short_side = late_short_side
        self.whole_styles = whole_styles
        self._images: dict[str, ImageSet] = {}

    def check(self) -> None:
        """Check the settings and list each folder once, before anything slow begins.

        Raises:
            DatNetError: If a setting cannot work, or a folder is missing or holds no image.
        """
        for name, annotation in annotations_of(ContentStyleDataModule).items():
            converted(f"data.{name}", annotation, getattr(self, name))
        if (self.late_from_step is None) != (self.late_crop_size is None):
            raise DatNetError("late_from_step and late_crop_size need each other; give both.")
        for part in ("", "late_"):
            short_side = getattr(self, f"{part}short_side")
            crop_size = getattr(self, f"{part}crop_size")
            if short_side is not None and crop_size is not None and short_side < crop_size:
                raise DatNetError(
                    f"{part}short_side ({short_side}) must be at least {part}crop_size"
                    f" ({crop_size}), or null to leave images as they are."
                )
        for folder in (
            self.content_dir,
            self.style_dir,
            self.validation_content_dir,
            self.validation_style_dir,
        ):
            if folder not in self._images:
                self._images[folder] = open_images(folder)
            self._check_prepared(folder, "short_side", self.short_side)
            if self.late_from_step is not None and folder in (self.content_dir, self.style_dir):
                self._check_prepared(folder, "late_short_side", self.late_short_side)

    def _check_prepared(self, folder: str, setting: str, short_side: int | None) -> None:
        prepared = self._images[folder].short_side
        if short_side is not None and prepared is not None and prepared < short_side:
            raise DatNetError(
                f"{folder}: these images were prepared for a short_side of {prepared}, which "
                f"is less than {short_side}. Set data.{setting}={prepared}, or prepare "
                f"them again with --short-side {short_side}."
            )

    def image_counts(self) -> dict[str, int]:
        """Number of content and style images to train on."""
        self.check()
        return {
            "content": len(self._images[self.content_dir]),
            "style": len(self._images[self.style_dir]),
        }

    @property
    def styles(self) -> ImageSet:
        """The style images to train on."""
        self.check()
        return self._images[self.style_dir]

    def fingerprints(self) -> dict[str, str]:
        """Fingerprints of the content and style images; that of the embedded set is its version."""
        self.check()
        return {
            kind: f"sample version {VERSION}"
            if Path(place).parent == FOLDER.absolute()
            else self._images[place].fingerprint()
            for kind, place in (("content", self.content_dir), ("style", self.style_dir))
        }

    def setup(self, stage: str) -> None:
        """List the folders, unless :meth:`check` has done so."""
        self.check()

    def train_dataloader(self) -> DataLoader[Pair]:
        """Return a loader of the endless training pairs, from the trainer's step on.

        Raises:
            ValueError: If no trainer is attached.
        """
        trainer = self.trainer
        if trainer is None:
            raise ValueError("training pairs depend on the trainer's step; use trainer.fit")
        batches_per_step = trainer.accumulate_grad_batches
        late_crops = None
        if self.late_from_step is not None and self.late_crop_size is not None:
            late_crops = LateCrops(
                self.late_from_step * batches_per_step * trainer.world_size * self.batch_size,
                self.late_short_side,
                self.late_crop_size,
            )
        dataset = PairDataset(
            self._images[self.content_dir],
            self._images[self.style_dir],
            short_side=self.short_side,
            crop_size=self.crop_size,
            horizontal_flip=self.horizontal_flip,
            seed=self.seed,
            late_crops=late_crops,
            whole_styles=self.whole_styles,
        )
        sampler = PairSampler(
            batch_size=self.batch_size,
            rank=trainer.global_rank,
            world_size=trainer.world_size,
            # Optimizer steps tell how far the weights are. A separate count of batches would skip
            # the one during which a run was interrupted.
            first_batch=lambda: trainer.global_step * batches_per_step,
        )
        return DataLoader(
            dataset,
            sampler=sampler,
            batch_size=self.batch_size,
            collate_fn=collate,
            num_workers=self.num_workers,
            persistent_workers=self.num_workers > 0,
            pin_memory=trainer.strategy.root_device.type == "cuda",
        )

    def val_dataloader(self) -> DataLoader[Pair]:
        """Return a loader of the fixed validation pairs, the same in every process."""
        dataset = FixedPairs(
            self._images[self.validation_content_dir],
            self._images[self.validation_style_dir],
            pair_count=self.validation_pairs,
            short_side=self.short_side,
            crop_size=self.crop_size,
            whole_styles=self.whole_styles,
        )
        return DataLoader(
            dataset,
            batch_size=self.batch_size,
            collate_fn=collate,
            num_workers=min(self.num_workers, self.validation_pairs),
        )


def _place(location: str | Path) -> str:
    """Return one name per location, so that no folder is listed twice."""
    if not str(location):
        raise DatNetError("a folder's path is empty; None takes the embedded sample set")
    return str(location) if is_remote(location) else str(Path(location).absolute())
