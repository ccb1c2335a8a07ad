"""The command line; the same words as the page. Each group of commands is a file, imported when it is used."""

from __future__ import annotations

import click

from .common import Sentences, say

COMMANDS = {
    "open": "opening", "weights": "data", "encode": "encoding", "cluster": "clustering", "import": "archive",
    "runs": "clustering", "recognize": "recognizing", "evaluate": "recognizing",
    "xmp-write": "xmp", "xmp-read": "xmp", "privacy": "data"}


@click.group(cls=Sentences, commands_in=COMMANDS, help=say("help"),
             context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 80})
@click.version_option(package_name="panoptic_faces", help=say("version"))
def main() -> None:
    pass


__all__ = ["main"]
