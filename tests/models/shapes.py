"""A small world of coloured shapes, and a tiny CLIP that learns it in some seconds."""

from __future__ import annotations

import json
import warnings
from itertools import product
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

COLOURS = {"red": (220, 30, 30), "green": (30, 180, 40), "blue": (40, 60, 220), "yellow": (230, 220, 40)}
SHAPES = ("circle", "bar", "pole")
CAPTIONS = [f"a {colour} {shape}" for colour, shape in product(COLOURS, SHAPES)]
# The same said in other ways, so that the model learns the words and not the sentences.
WORDINGS = (CAPTIONS, [f"{colour} {shape}" for colour, shape in product(COLOURS, SHAPES)],
            [f"{colour}, {shape}" for colour, shape in product(COLOURS, SHAPES)],
            [f"{shape}, {colour}" for colour, shape in product(COLOURS, SHAPES)])
CONFIG = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8, "head_width": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


def draw(caption: str, random: np.random.Generator, side: int = 64) -> np.ndarray:
    _, colour, shape = caption.split()
    ground = np.full((side, side, 3), int(random.integers(100, 160)), np.uint8)
    x, y = (int(value) for value in random.integers(26, side - 26, 2))
    r = int(random.integers(12, 22))
    if shape == "circle":
        cv2.circle(ground, (x, y), r, COLOURS[colour], -1)
    elif shape == "bar":
        cv2.rectangle(ground, (0, y - r // 2), (side, y + r // 2), COLOURS[colour], -1)
    else:
        cv2.rectangle(ground, (x - r // 2, 0), (x + r // 2, side), COLOURS[colour], -1)
    return ground


def drawings(each: int, seed: int) -> tuple[list[np.ndarray], np.ndarray]:
    random = np.random.default_rng(seed)
    kinds = np.repeat(np.arange(len(CAPTIONS)), each)
    return [draw(CAPTIONS[kind], random) for kind in kinds], kinds


def train(folder: Path) -> tuple[Path, Path]:
    """The files of a configuration and of the weights of a model that was trained on drawings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import open_clip
        import torch

    config = folder / "tiny-shapes.json"
    config.write_text(json.dumps(CONFIG))
    open_clip.add_model_config(config)
    torch.manual_seed(0)
    model, _, prepare = open_clip.create_model_and_transforms("tiny-shapes")
    tokenizer = open_clip.get_tokenizer("tiny-shapes")
    tokens = [tokenizer(wording) for wording in WORDINGS]
    pictures, kinds = drawings(60, 0)
    batch = torch.stack([prepare(Image.fromarray(picture)) for picture in pictures])
    truth = torch.from_numpy(kinds)
    # The table of 49,408 tokens stays as it is: moving it would take most of the time.
    model.token_embedding.weight.requires_grad_(False)
    # Several threads only get in each other's way on a model of this size.
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    steps = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], lr=3e-3)
    for step in range(120):
        drawn = torch.randint(len(batch), (64,))
        logits = 15 * model.encode_image(batch[drawn], normalize=True) @ model.encode_text(
            tokens[step % len(tokens)], normalize=True).T
        loss = torch.nn.functional.cross_entropy(logits, truth[drawn])
        steps.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        steps.step()
    torch.set_num_threads(threads)
    weights = folder / "tiny-shapes.pt"
    torch.save(model.state_dict(), weights)
    return config, weights
