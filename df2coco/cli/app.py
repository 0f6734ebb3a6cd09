"""What all commands share: the typer app, the error boundary, options, the progress bar."""

import functools
import os
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NoReturn, TypeVar

import typer

from df2coco.cli import say
from df2coco.cli.values import Command, CommandGroup
from df2coco.errors import Df2cocoError, OptionError, PasswordError, printable
from df2coco.progress import Progress, no_progress
from df2coco.taxonomy import CATEGORIES
from df2coco.version import DOCS, __version__
from df2coco.workers import available_cores, keep_memory

_SETTINGS: Final[dict[str, Any]] = {
    "cls": CommandGroup,
    "no_args_is_help": True,
    "rich_markup_mode": None,  # rich would eat brackets in help, and take half of the start
    "context_settings": {"help_option_names": ["-h", "--help"]},
}

app: Final = typer.Typer(
    name="df2coco",
    help="DeepFashion2 to COCO: convert, validate, evaluate and look.",
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done; 1 findings (validate); 2 wrong use, or the job could not be done; "
    "130 interrupted (Ctrl-C); 141 nobody reads the output any more; 143 terminated "
    f"(129: the terminal was closed). More: {DOCS}",
    **_SETTINGS,
)


def command_group(name: str, help: str) -> typer.Typer:
    """A command that has commands of its own."""
    group = typer.Typer(name=name, help=help, epilog=f"More: {DOCS}command-line/", **_SETTINGS)
    app.add_typer(group, name=name)
    return group


_OPTIONS: Final = {"categories": "category", "folders": "folder", "listed": "list"}
"""A parameter of the library, which takes a list -> the option that may be repeated."""

Function = TypeVar("Function", bound=Callable[..., Any])


def command(
    name: str, example: str, group: typer.Typer = app, help: str | None = None
) -> Callable[[Function], Function]:
    """Register a command, whose help is its docstring, or else `help`, and ends with the example.

    What it raises on purpose ends in one line on stderr and exit code 2.
    """

    def register(function: Function) -> Function:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except OptionError as error:
                name = _OPTIONS.get(error.field, error.field).replace("_", "-")
                option = f"--{name}: " if name else ""
                fail(f"{option}{error.text}")
            except Df2cocoError as error:
                fail(str(error))
            except KeyboardInterrupt as interrupt:
                # Only the code that writes can say what was written.
                written = "; ".join(str(text) for text in interrupt.args if text)
                fail(f"interrupted; {written}." if written else "interrupted.", code=130)
            except MemoryError:
                fail("out of memory.")
            except ImportError as error:
                reason = str(error).lower()
                if "failed to map" not in reason and "cannot allocate" not in reason:
                    raise
                fail("out of memory: a package could not be loaded. Allow more (ulimit -v).")
            except RecursionError:
                fail("the input is nested too deeply.")
            except OSError as error:
                where = "" if error.filename is None else f"{os.fsdecode(error.filename)}: "
                fail(f"{where}{error.strerror or error}.")

        words = f"{group.info.name} {name}".removeprefix("df2coco ")
        group.command(name, cls=Command, help=help, epilog=f"df2coco {words} {example}")(guarded)
        return function

    return register


def fail(message: str, *, code: int = 2) -> NoReturn:
    """One line on stderr and the exit code."""
    say(f"df2coco: {message}")
    raise typer.Exit(code)


def argument(metavar: str, help: str, default: Any = ..., **kwargs: Any) -> Any:
    """A positional argument. Nothing here looks whether a file may be read: the library says it better."""
    return typer.Argument(default, metavar=metavar, help=help, readable=False, **kwargs)


def option(metavar: str, help: str, *names: str, default: Any = None, **kwargs: Any) -> Any:
    """An option with a value; without `names` it is called as the parameter. `...` makes it required."""
    return typer.Option(default, *names, metavar=metavar, help=help, readable=False, **kwargs)


def flag(name: str, help: str, *short: str, **kwargs: Any) -> Any:
    """An option without a value."""
    return typer.Option(False, name, *short, help=help, **kwargs)


def category_option(help: str) -> Any:
    """An option whose value is the name of a category."""
    return option("NAME", help, autocompletion=lambda: [c.name for c in CATEGORIES])


def choice(help: str, table: Mapping[Any, str] | Sequence[str], **kwargs: Any) -> Any:
    """An option whose values are the keys of `table`, which its help explains."""
    text = f"{help} {explained(table)}." if isinstance(table, Mapping) else help
    return option("|".join(table), text, **one_of(table), **kwargs)


def explained(table: Mapping[Any, str]) -> str:
    """Values and what they mean, for a help."""
    return "; ".join(f"{key}: {text}" for key, text in table.items())


def one_of(table: Collection[str]) -> dict[str, Any]:
    """What makes typer check that a value is in `table`, and complete it."""

    def check(value: str | None) -> str | None:
        if value is not None and value not in table:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(table)}")
        return value

    return {"callback": check, "autocompletion": lambda: list(table)}


COCO = argument("COCO.json", "A COCO file of any origin.")
SOURCE = argument(
    "SOURCE",
    "A folder of annotation files (val_annos), a split folder (annos and image), a zip of "
    "either (password-protected or not), or a dataset root of several splits.",
)
IMAGES = option("PATH", "Folder or zip of the images; found beside the annotations when not given.")
COCO_IMAGES = option("PATH", "Folder or zip of the images; found beside COCO.json when not given.")
PASSWORD = option(
    "TEXT",
    "Password of encrypted archives; else that of the variable DF2COCO_PASSWORD, or it is asked "
    "for on a terminal.",
    envvar="DF2COCO_PASSWORD",
)
WORKERS = option("N", "Processes; by default the cores it may use.", min=1)
QUIET_FLAG = flag("--quiet", "Print nothing but errors.", "-q")
JSON_FLAG = flag("--json", "Print JSON instead of text.")


@contextmanager
def progress_bar(*, quiet: bool = False) -> Iterator[Progress]:
    """Draws a named bar for each phase on a terminal, one at a time; nothing in a pipe or when `quiet`."""
    if quiet or not sys.stderr.isatty():
        yield no_progress
        return
    from tqdm import tqdm

    shown, bar = None, tqdm(disable=True)

    def show(phase: str, done: int, total: int) -> None:
        nonlocal shown, bar
        if phase != shown:
            bar.close()
            shown = phase
            bar = tqdm(
                desc=printable(phase),
                total=total or None,
                bar_format=_BAR if total else "{desc} ...",
                dynamic_ncols=True,
                leave=False,
                file=sys.stderr,
            )
        bar.update(done - bar.n)
        if total and done == total:
            bar.refresh()  # tqdm draws ten times a second, which would leave 99 % standing

    try:
        yield show
    finally:
        bar.close()


_BAR: Final = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]"
_Result = TypeVar("_Result")


def run(
    work: Callable[..., _Result],
    *arguments: Any,
    workers: int | None,
    password: str | None,
    quiet: bool,
    **options: Any,
) -> _Result:
    """`work(*arguments, **options)` with the processes, the password and the progress bar of a command.

    When a password is missing and a person sits there, it is asked for.
    """
    count = workers or available_cores()
    if count == 1:
        keep_memory()

    def attempt(password: str | None) -> _Result:
        with progress_bar(quiet=quiet) as progress:
            return work(*arguments, workers=count, password=password, progress=progress, **options)

    try:
        return attempt(password)
    except PasswordError as missing:
        if password is not None or not sys.stdin.isatty():
            raise
        import getpass

        try:
            password = getpass.getpass("Password of the archive: ")
        except (EOFError, KeyboardInterrupt) as error:  # Ctrl-D, Ctrl-C
            say()  # ends the line of the prompt
            raise missing if isinstance(error, EOFError) else error from None
    return attempt(password)


def print_json(document: Any) -> None:
    """The result of a command for programs."""
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    print(orjson.dumps(document, option=options).decode())


def _print_version(value: bool) -> None:
    if value:
        print(f"df2coco {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: bool = flag(
        "--version", "Print the version.", callback=_print_version, is_eager=True
    ),
) -> None:
    pass  # the option does it
