"""How commands take values, explain themselves and refuse: our words, and none of typer's validators.

Some versions of typer check values with pydantic, whose import takes longer than the rest of the start.
"""

import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, Final, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from df2coco.cli.streams import say
from df2coco.errors import did_you_mean, printable, shorten
from df2coco.version import DOCS


class Command(TyperCommand):
    """A command; its `epilog` is an example."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """`[OPTIONS] SOURCE OUT`."""
        return ["[OPTIONS]", *(metavar_of(p) for p in self.params if not _is_option(p))]

    def get_params(self, ctx: Any) -> Any:
        """All parameters, `--help` among them."""
        return _spare_validators(super().get_params(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """The parts on arguments and options."""
        shown = [each for each in self.get_params(ctx) if not each.hidden]
        for title, are_options in (("Arguments", False), ("Options", True)):
            rows = [described(each) for each in shown if _is_option(each) == are_options]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """An example, and where more is."""
        groups = "" if ctx.parent.parent is None else f"{ctx.parent.info_name}-"
        formatter.write_paragraph()
        formatter.write(f"Example: {self.epilog}\n")
        formatter.write(f"More: {DOCS}command-line/#df2coco-{groups}{ctx.info_name}\n")


class CommandGroup(TyperGroup):
    """A group of such commands."""

    def get_params(self, ctx: Any) -> Any:
        """All parameters, `--help` among them."""
        return _spare_validators(super().get_params(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is asked for."""
        name = args[0]
        if name not in self.commands and not name.startswith("-") and not ctx.resilient_parsing:
            hint = did_you_mean(name, self.commands)
            ctx.fail(f"there is no command {name}. {hint}".strip())
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **options: Any) -> Any:
        """Run a command; wrong use is one line on stderr, as other errors are."""
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
        except UsageError as error:
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
            else:
                say(f"df2coco: {_one_line(error)}")
            code = 2
        sys.exit(code or 0)


UsageError: Final[Any] = typer.BadParameter.__base__
"""All that is wrong use."""


def _one_line(error: Any) -> str:
    text = re.sub("^Invalid value for '?(.*?)'?: ", r"\1: ", error.format_message())
    text += "" if text.endswith((".", "?")) else "."
    return printable(f"{text} See {error.ctx.command_path} --help." if error.ctx else text)


def _is_option(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "option")


def metavar_of(parameter: Any) -> str:
    """What stands for a value: "PATH"; "" for flags."""
    if getattr(parameter, "is_flag", False):
        return ""
    return str(parameter.metavar or parameter.name.upper())


def described(parameter: Any) -> tuple[str, str]:
    """An argument or option, and what it means, with its default: for `--help` and the docs."""
    names = ", ".join(sorted(parameter.opts, key=len) if _is_option(parameter) else ())
    text = parameter.help or ""
    default = parameter.default
    if isinstance(parameter.show_default, str):
        default = parameter.show_default
    if parameter.show_default and type(default) in (str, int, float):
        text += f" Default: {default}."
    return f"{names} {metavar_of(parameter)}".strip(), text


# ---------------------------------------------------------------- values


def _spare_validators(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if hasattr(getattr(parameter, "type", None), "readable"):  # in older versions of typer
            parameter.type.readable = False  # the library says in one line what may not be read
        own = parameter.process_value
        # Not for older versions of typer, which check without pydantic; and once.
        if hasattr(parameter, "type_descriptor") and not isinstance(own, partial):
            parameter.process_value = partial(_process, parameter, own)
    return parameters


def _process(parameter: Any, own: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    """What `own(context, value)` gives."""
    many = parameter.multiple or parameter.nargs == -1
    if value is None or value == ():
        if parameter.required:
            return own(context, value)  # says that it is missing
        converted: Any = () if many else None
    else:
        kind = parameter.type_descriptor.annotation
        convert = partial(_converted, parameter, context, get_args(kind)[0] if many else kind)
        converted = list(map(convert, value)) if many else convert(value)
    if parameter.callback is None:
        return converted
    return parameter.callback(context, parameter, converted)


_KINDS: Final = {int: "a whole number", float: "a number"}


def _converted(parameter: Any, context: Any, kind: Any, value: Any) -> Any:
    try:
        converted = value if type(value) is kind else kind(value)
    except ValueError:
        text = f"{shorten(value)} is not {_KINDS[kind]}."
    else:
        low = getattr(parameter, "min", None)
        if low is None or converted >= low:
            return converted
        text = f"{converted} is less than {low}."
    raise typer.BadParameter(text, context, parameter)
