"""Values of options that are plainly right, without the validators that typer builds for them.

Some versions of typer check each value with pydantic, whose import takes longer than all the rest of the
start. A value that is plainly right needs no validator; every other one goes to typer, which words the fault.
"""

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command whose parameters ask typer's validators only when they must."""

    def collect_usage_pieces(self, ctx: Any) -> Any:
        """`[OPTIONS] SOURCE OUT`: some versions of typer put what is required in braces."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def get_params(self, ctx: Any) -> Any:
        """All parameters, `--help` among them."""
        return _spare_validators(super().get_params(ctx))


class CommandGroup(TyperGroup):
    """A group of such commands."""

    def get_params(self, ctx: Any) -> Any:
        """All parameters, `--help` among them."""
        return _spare_validators(super().get_params(ctx))


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
    """What `own(context, value)` gives, computed in the short way where that is possible."""
    many = parameter.multiple or parameter.nargs == -1
    if value is None and not parameter.required:
        plain: Any = () if many else None
    else:
        annotation = parameter.type_descriptor.annotation
        try:
            plain = _plain(value, annotation)
        except ValueError:
            return own(context, value)
        low, high = getattr(parameter, "min", None), getattr(parameter, "max", None)
        for number in plain if many else (plain,):
            if (low is not None and number < low) or (high is not None and number > high):
                return own(context, value)
    return plain if parameter.callback is None else parameter.callback(context, parameter, plain)


_NUMBERS: Final = {
    int: re.compile(r"-?[0-9]{1,15}"),
    float: re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?"),
}


def _plain(value: Any, annotation: Any) -> Any:
    """`value` as `annotation` says. Raises ValueError when that is not plain to see."""
    if get_origin(annotation) is list and isinstance(value, list | tuple):
        return [_plain(item, *get_args(annotation)) for item in value]
    if get_origin(annotation) is Literal and value in get_args(annotation):
        return value
    if annotation in (bool, str, int, float, Path) and type(value) is annotation:
        return value
    if isinstance(value, str):
        if annotation in _NUMBERS and _NUMBERS[annotation].fullmatch(value):
            return annotation(value)
        if annotation is Path and value:
            return Path(value)
    raise ValueError
