"""What every command shares: the user's language, errors as sentences, bars, options."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click
from tqdm import tqdm

from ..core.errors import FacesError
from ..i18n import system_language, text

LANGUAGE = system_language()
# Exit codes: 0 done, 1 an obstacle that a sentence explains, 2 a command that was mistyped, and this one.
SOME_UNREADABLE = 3

Command = TypeVar("Command", bound=Callable[..., Any])


def say(key: str, **values: Any) -> str:
    return text(f"cli.{key}", LANGUAGE, **values)


def described(command: str) -> str:
    """The help of a command with its example, which is kept on a line of its own."""
    return f"{say(f'{command}.help')}\n\n\b\n{say('example')} {say(f'{command}.example')}"


class Formatter(click.HelpFormatter):
    """Help whose own words are in the user's language too."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        super().write_usage(prog, args, prefix or say("usage"))

    @contextmanager
    def section(self, name: str) -> Iterator[None]:
        with super().section(say(f"section.{name}") if name in ("Options", "Commands") else name):
            yield


class Context(click.Context):
    formatter_class = Formatter


class Told(click.Command):
    context_class = Context

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        option = super().get_help_option(ctx)
        if option is not None:
            option.help = say("help_option")
        return option


class Sentences(Told, click.Group):
    """Commands that are imported when they are asked for; their FacesErrors end as a sentence and exit code 1."""

    def __init__(self, *args: Any, commands_in: dict[str, str] | None = None, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._modules = commands_in or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        module = importlib.import_module(f".{self._modules[cmd_name]}", __package__)
        found: click.Command = getattr(module, cmd_name.replace("-", "_") + "_command")
        return found

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except FacesError as error:
            raise click.ClickException(error.sentence(LANGUAGE)) from error


class Bar:
    """A bar on the terminal; nothing where the output goes elsewhere."""

    def __init__(self, key: str, total: int | None) -> None:
        self._bar = tqdm(desc=say(f"bar.{key}"), total=total, disable=None, leave=False)

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def step(self, count: int = 1) -> None:
        self._bar.update(count)

    def at(self, done: int, total: int) -> None:
        self._bar.total = total
        self._bar.update(done - self._bar.n)


class Whole(click.IntRange):
    """A whole number in a range; what it is for says more than its range, which a mistake shows."""

    def _describe_range(self) -> str:
        return ""


def tell(answer: Any, as_json: bool, sentence: str) -> None:
    """An answer for a program, or its sentence for a person."""
    click.echo(json.dumps(answer, ensure_ascii=False, indent=1) if as_json else sentence)


def command(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A command whose help and example are in ``locales/``."""
    return click.command(name, cls=Told, help=described(name))


def folder(exists: bool = False) -> click.Path:
    return click.Path(exists=exists, file_okay=False, path_type=Path)


def sources(**settings: Any) -> Callable[[Command], Command]:
    """The argument PHOTOS: folders and files."""
    return click.argument("photos", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), **settings)


class Address(click.Path):
    """A file or folder that exists, or an address or pattern for fsspec, as a text."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if "://" in value or "*" in value else str(super().convert(value, param, ctx))


def scheduler_option(command: Command) -> Command:
    return click.option("--scheduler", metavar="ADDRESS", help=say("scheduler"))(command)


def json_option(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help=say("json"))(command)


def model_options(command: Command) -> Command:
    """--detector, --model, --normalisation and --jobs."""
    from ..models.choices import DETECTORS

    for option in (
            click.option("--jobs", type=Whole(1, 256), metavar="N", help=say("jobs")),
            click.option("--normalisation", metavar="SPEC", help=say("normalisation")),
            click.option("--model", default="sface", metavar="NAME", help=say("model")),
            click.option("--detector", default="yunet", metavar="NAME", help=say("detector", allowed=", ".join(
                DETECTORS)))):
        command = option(command)
    return command
