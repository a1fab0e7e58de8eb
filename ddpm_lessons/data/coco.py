"""COCO's photographs with five captions each, split by picture, so that no caption of a picture leaks."""

import contextlib
import io
from importlib.util import find_spec
from pathlib import Path

import torch
from tqdm.auto import tqdm

from .download import fetch, root
from .files import Pictures, square

PARTS = {"train": ("train2017", 0, 15_000), "validation": ("train2017", 15_000, 3_000), "test": ("val2017", 0, 2_000)}
PUBLISHED = {  # the publisher's archives, with their SHA-1
    "train2017": ("http://images.cocodataset.org/zips/train2017.zip", "10ad623668ab00c62c096f0ed636d6aff41faca5"),
    "val2017": ("http://images.cocodataset.org/zips/val2017.zip", "4950dc9d00dbe1c933ee0170f5797584351d2a41"),
    "annotations": (
        "http://images.cocodataset.org/annotations/annotations_trainval2017.zip",
        "8551ee4bb5860311e79dace7e79cb91e432e78b3",
    ),
}


def coco(size: int, folder: str | Path | None = None, part: str = "train") -> Pictures:
    """COCO 2017 with its captions: "train" 15,000 pictures, "validation" 3,000 others, "test" 2,000 of val2017.

    Read from `folder`, or from `root()`, where the publisher's archives are fetched once: 18 GB for train2017, 0.8 GB
    for val2017. Where there are fewer pictures, a sixth of train2017 is for validation. A folder coco or coco_small in
    it will do as well.

    -> x: (N, 3, size, size), captions: N times about five. Raises ImportError without pycocotools, FileNotFoundError
    when `folder` has none, ConnectionError when the host cannot be reached, ValueError for a broken file.
    """
    if find_spec("pycocotools") is None:
        raise ImportError('COCO is read with a package that is missing: pip install "ddpm_lessons[imagen]"')
    from torchvision.datasets import CocoCaptions

    where, begin, n = PARTS[part]
    here = found(Path(folder or root()), where, fetched=folder is None)
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints as it reads
        pictures = CocoCaptions(here / where, here / "annotations" / f"captions_{where}.json")
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0)).tolist()  # the same every time
    if where == "train2017" and len(order) < 18_000:
        begin, n = (0, len(order) * 5 // 6) if part == "train" else (len(order) * 5 // 6, len(order))
    chosen = order[begin : begin + n]
    x, captions = torch.empty(len(chosen), 3, size, size), []
    for k, i in enumerate(tqdm(chosen, desc="reading pictures", leave=False, mininterval=0.5)):
        try:
            image, said = pictures[i]
            x[k] = square(image, size)
        except (OSError, SyntaxError) as e:
            file = pictures.coco.loadImgs(pictures.ids[i])[0]["file_name"]
            raise ValueError(f"{here / where / file} cannot be read as a picture ({e}); fetch it again") from e
        captions.append(tuple(c.strip() for c in said if c.strip()))
    y = torch.zeros(len(x), dtype=torch.long)
    return Pictures(x, y, ("picture",), f"{len(x)} pictures of COCO with their captions", tuple(captions))


def found(here: Path, where: str, fetched: bool) -> Path:
    """The folder that holds `where` and the annotations, fetched if that is allowed."""
    for folder in (here, here / "coco", here / "coco_small"):
        if (folder / where).is_dir() and (folder / "annotations" / f"captions_{where}.json").is_file():
            return folder
    if not fetched:
        raise FileNotFoundError(
            f"no COCO in {here}: wanted are {where}/*.jpg and annotations/captions_{where}.json; "
            "without --data they are fetched"
        )
    for name in ("annotations", where):
        fetch(PUBLISHED[name], here / "coco", name)
    return here / "coco"
