"""A folder of class folders as people have them: the built-in digits as files of many sizes, shapes and modes.

``python pictures.py DIR [COUNT]`` writes COUNT pictures, 1,000 if that is not said.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image

from biggan_cli.data import datasets

FORMS = (("RGB", ".jpg"), ("L", ".jpg"), ("RGBA", ".png"), ("P", ".png"), ("RGB", ".webp"), ("1", ".png"))


def main(folder: Path, count: int) -> None:
    digits, random = datasets.load("digits", 32), np.random.RandomState(0)
    for number, place in enumerate(random.permutation(len(digits.labels))[:count]):
        picture = Image.fromarray(digits.images[place])
        side, longer = random.randint(48, 200), random.uniform(1.0, 1.6)
        size = (side, int(side * longer)) if number % 2 else (int(side * longer), side)
        paper = Image.new("RGB", size)
        paper.paste(picture.resize((side, side), Image.BICUBIC), ((size[0] - side) // 2, (size[1] - side) // 2))
        mode, ending = FORMS[number % len(FORMS)]
        path = folder / digits.class_names[digits.labels[place]] / f"{number:05d}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        paper.convert(mode).save(str(path), quality=90)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
