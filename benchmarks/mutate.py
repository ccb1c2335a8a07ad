"""What a few thousand pictures, each mutated in some way, do to the path of images: outcomes, time and memory.

    python benchmarks/mutate.py PICTURES WEIGHTS [--count 2000] [--seed 0]

PICTURES: a folder of portraits, of which the first eight are mutated by ``tests/faults/mutated.py``. Each file goes
through ``FaceScanner`` and through the embedder of whole images, as in a scan. Prints for each mutation how many files
gave faces, none, or which sentence; anything else than a FacesError is counted as lost, and its name printed. Then the
longest time of one file, and the peak of memory above that before the first file. About three minutes on a quiet core.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path

from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))

from panoptic_faces.models.choices import choose_models
from panoptic_faces.models.visual import VisualEmbedder
from panoptic_faces.services.images import vectors_of_photos
from panoptic_faces.services.scan import FaceScanner, Photo
from tests.faults.mutated import mutated


def peak() -> float:
    """The largest resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("weights", type=Path)
    parser.add_argument("--count", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    files = [file for file in sorted(chosen.pictures.rglob("*")) if file.is_file()][:8]
    portraits = [Image.open(file).convert("RGB") for file in files]
    scanner = FaceScanner(choose_models(folder=chosen.weights).make)
    vectors = vectors_of_photos(VisualEmbedder())
    outcomes: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    lost, longest, before = 0, (0.0, ""), 0.0
    with tempfile.TemporaryDirectory() as folder:
        for number, (kind, ending, data) in enumerate(mutated(portraits, chosen.count, chosen.seed)):
            file = Path(folder) / f"photo{ending}"
            file.write_bytes(data)
            photo = Photo(hashlib.sha1(data).hexdigest(), file.name, file)
            # The first files load the models, and the generator its largest bombs.
            before = peak() if number < 60 else before
            started = time.perf_counter()
            try:
                found = scanner(photo)
                vectors([photo])
                outcomes[kind][found.error.code if found.error else "faces" if found.faces else "no face"] += 1
            except Exception as error:
                lost += 1
                print(f"LOST: {kind}: {type(error).__name__}: {error}")
            longest = max(longest, (time.perf_counter() - started, kind))
    for kind, found_all in sorted(outcomes.items()):
        print(f"| {kind} | " + ", ".join(f"{name} {count}" for name, count in found_all.most_common()) + " |")
    print(f"{chosen.count} files, {lost} lost; longest {longest[0]:.1f} s ({longest[1]}); memory: {before:.0f} MB "
          f"after the first files, {peak():.0f} MB at the peak")


if __name__ == "__main__":
    main()
