"""``python -m panoptic_faces`` is the command ``panoptic-faces``."""

from .cli import main

main(prog_name="panoptic-faces")
