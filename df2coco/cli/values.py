"""How commands take values, explain themselves and refuse: our words, and none of typer's validators.

Some versions of typer check values with pydantic, whose import takes longer than the rest of the start.
"""

import re
import sys
from types import SimpleNamespace
from typing import Any, Final, get_args

import typer
from typer.core import TyperCommand, TyperGroup

from df2coco.cli import say
from df2coco.errors import did_you_mean, shorten
from df2coco.version import DOCS

_USAGE_ERROR: Final[Any] = typer.BadParameter.__base__
_KINDS: Final = {int: "a whole number", float: "a number"}


class Command(TyperCommand):
    """A command; its `epilog` is an example."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """`[OPTIONS] SOURCE OUT`."""
        return ["[OPTIONS]", *(str(p.metavar) for p in self.params if not _is_option(p))]

    def get_params(self, ctx: Any) -> Any:
        """All parameters, `--help` among them."""
        return _with_own_values(super().get_params(ctx))

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
        return _with_own_values(super().get_params(ctx))

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
        except _USAGE_ERROR as error:
            code = 2
            if type(error).__name__ == "NoArgsIsHelpError":
                error.show()
            else:
                text = re.sub("^Invalid value for '?(.*?)'?: ", r"\1: ", error.format_message())
                text += "" if text.endswith((".", "?")) else "."
                see = f" See {error.ctx.command_path} --help." if error.ctx else ""
                say(f"df2coco: {text}{see}")
        sys.exit(code or 0)


def _is_option(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "option")


def described(parameter: Any) -> tuple[str, str]:
    """An argument or option, and what it means, with its default: for `--help` and the docs."""
    names = ", ".join(sorted(parameter.opts, key=len) if _is_option(parameter) else ())
    text = parameter.help or ""
    default = parameter.default
    if isinstance(parameter.show_default, str):
        default = parameter.show_default
    if parameter.show_default and type(default) in (str, int, float):
        text += f" Default: {default}."
    return f"{names} {parameter.metavar or ''}".strip(), text


def _with_own_values(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:  # versions of typer without pydantic never ask for this
        parameter.get_runtime_param = lambda: SimpleNamespace(coerce=_coerce)
    return parameters


def _coerce(value: Any, param: Any, ctx: Any) -> Any:
    """The value or values that a parameter gets for the texts of the command line."""
    kind = param.type_descriptor.annotation
    if param.multiple or param.nargs == -1:
        return [_converted(param, ctx, get_args(kind)[0], each) for each in value or ()]
    return None if value is None else _converted(param, ctx, kind, value)


def _converted(parameter: Any, context: Any, kind: Any, value: Any) -> Any:
    try:
        converted = kind(value)
    except ValueError:
        text = f"{shorten(value)} is not {_KINDS[kind]}."
    else:
        if parameter.min is None or converted >= parameter.min:
            return converted
        text = f"{converted} is less than {parameter.min}."
    raise typer.BadParameter(text, context, parameter)
