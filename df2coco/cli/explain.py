"""`df2coco explain`."""

from collections.abc import Iterable
from typing import Annotated

from df2coco.cli import app as cli
from df2coco.parser.records import NOTICES
from df2coco.validator import CHECK_BY_CODE, NEEDS
from df2coco.validator.examination import unknown_code
from df2coco.validator.report import explained, wrapped


@cli.command("explain")
def explain_command(
    code: Annotated[
        str | None,
        cli.argument(
            "[CODE]",
            "A code that a command prints; all are listed without.",
            autocompletion=lambda: [*CHECK_BY_CODE, *NOTICES],
        ),
    ] = None,
) -> None:
    """Explain a finding of validate, or a notice of convert.

    What it means, who is affected, what to do, and where an example is.
    """
    if code is None:
        print(
            "\n".join(
                [
                    *_list("findings of validate", CHECK_BY_CODE),
                    "",
                    *_list("notices of convert and stats", NOTICES),
                ]
            )
        )
        return
    name = code.strip().lower().replace("_", "-")
    if name not in CHECK_BY_CODE and name not in NOTICES:
        raise unknown_code(name, [*CHECK_BY_CODE, *NOTICES])
    print("\n".join([*_check(name), *_notice(name)]))


def _list(title: str, codes: Iterable[str]) -> list[str]:
    return [f"{title}:", *(f"  {code}" for code in codes)]


def _check(code: str) -> list[str]:
    check = CHECK_BY_CODE.get(code)
    if check is None:
        return []
    only = ", on files of DeepFashion2" if check.garments else ""
    lines = [f"{check.code} ({check.level}; checked {NEEDS[check.needs]}{only})"]
    lines += [*wrapped("  ", check.sentence), *explained(check)]
    return [*lines, f"  example: {check.link}"]


def _notice(code: str) -> list[str]:
    if code not in NOTICES:
        return []
    level, sentence = NOTICES[code]
    lines = [f"{code} ({level}; of the source, by convert and stats)"]
    remedy = "each line of convert names the file and what to do; --report FILE has all of them"
    return [*lines, *wrapped("  ", sentence), *wrapped("  remedy:  ", remedy)]
