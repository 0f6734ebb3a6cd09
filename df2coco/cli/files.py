"""`df2coco split`, `merge` and `restore`."""

from pathlib import Path

from df2coco.cli import app, say
from df2coco.errors import OptionError, counted, cut_text, printable, shorten


@app.command("split", "train.json parts --parts train=0.9,test=0.1")
def split_command(
    path: Path = app.argument("COCO.json", "A COCO file."),
    folder: Path = app.argument(
        "DIR", "The folder for the files, one for each part: DIR/train.json."
    ),
    parts: str = app.option(
        "NAME=SHARE,...",
        "The parts and their shares, which add up to 1.",
        default="train=0.9,test=0.1",
    ),
    seed: int = app.option("N", "Another number gives other parts.", default=0),
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Split one COCO file; photos of a garment stay together.

    All images of a pair_id show the same garments and stay together. The categories are balanced as far
    as that allows. The same file, parts and seed give the same files.
    """
    from df2coco.subsets import split

    with app.progress_bar(quiet=quiet) as progress:
        done = split(path, folder, parts=_parse_parts(parts), seed=seed, progress=progress)
    if quiet:
        return
    for part in done:
        say(
            f"{part.name}: {counted(part.images, 'image')} ({part.image_share:.2%}, {part.share:.2%} wanted), "
            f"{counted(part.annotations, 'annotation')}, {counted(part.pairs, 'pair')} -> {part.path}"
        )
    for part in done:
        if not part.images:
            say(f"{part.name} has no images: there are too few for so many parts")
    say()
    say(f"{'share of each category':<24}" + "".join(f"{part.name:>12}" for part in done))
    for name in done[0].category_shares:
        shares = "".join(f"{part.category_shares[name]:>12.2%}" for part in done)
        say(f"{cut_text(printable(name), 23):<24}{shares}")


def _parse_parts(text: str) -> dict[str, float]:
    parts: dict[str, float] = {}
    for part in text.split(","):
        name, _, share = (word.strip() for word in part.partition("="))
        try:
            number = float(share)
        except ValueError:
            text = f"{shorten(part)} is not NAME=SHARE. Example: train=0.9,test=0.1"
            raise OptionError(text, field="parts") from None
        if name in parts:
            raise OptionError(f"{name} is there twice.", field="parts")
        parts[name] = number
    return parts


@app.command("merge", "train.json validation.json all.json")
def merge_command(
    paths: list[Path] = app.argument(
        "FILE.json... OUT.json", "Two COCO files or more, and the file to write."
    ),
    folder: list[str] | None = app.option(
        "FOLDER",
        "What to put before the file names of a file, once for each file; by default the "
        "split's name and image (train/image), where names collide.",
    ),
    by_name: bool = app.flag("--by-name", "Join other categories too: the file gets those of all."),
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Merge COCO files of several splits into one.

    Ids that collide are numbered anew, pairs of different splits are kept apart, and the split's folder
    is put into file_name. Categories of one name are one category. All files must have masks and
    landmarks, or none.
    """
    from df2coco.subsets import merge

    *inputs, out = paths
    with app.progress_bar(quiet=quiet) as progress:
        done = merge(inputs, out, folders=folder or (), by_name=by_name, progress=progress)
    if quiet:
        return
    for what, files in done.renumbered.items():
        for file in files:
            say(f"{file}: {what} numbered anew")
    for path, name in zip(inputs, done.folders, strict=False):
        say(f"{path}: file names start with {name}/")
    for key in done.left_out:
        say(f"{shorten(key)} is not the same in all files, and is left out")
    say(f"{counted(done.images, 'image')}, {counted(done.annotations, 'annotation')} -> {out}")


@app.command("restore", "validation.json annos")
def restore_command(
    path: Path = app.argument("COCO.json", "A COCO file with landmarks (--task keypoints)."),
    folder: Path = app.argument(
        "ANNOS_DIR", "The folder for the annotation files; its parent must be there."
    ),
    force: bool = app.flag(
        "--force",
        "Write to a folder that has files in it: the same names are replaced, others stay.",
    ),
    quiet: bool = app.QUIET_FLAG,
) -> None:
    """Write the dataset's annotation files again, one per image.

    What the COCO file cannot give back is reported before anything is written.
    """
    from df2coco.converter.restore import restore

    report = None if quiet else lambda sentence: say(f"not given back: {sentence}")
    with app.progress_bar(quiet=quiet) as progress:
        done = restore(path, folder, force=force, report_loss=report, progress=progress)
    if quiet:
        return
    if done.strangers:
        say(f"warning: {folder} holds {counted(done.strangers, 'other annotation file')} too")
    say(f"{counted(done.files, 'annotation file')}, {counted(done.items, 'item')} -> {folder}")
