"""Several COCO files into one: what collides is numbered anew, nothing else changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from df2coco.coco.info import SIZES_UNKNOWN, conversion_of
from df2coco.coco.lists import read_parts
from df2coco.coco.schema import ALL_OR_NONE, Entry, check_known, is_address, is_id, is_outside
from df2coco.coco.writer import OWN_KEYS, Writer
from df2coco.errors import CocoFileError, OptionError, check_list, shorten
from df2coco.outputs import Outputs, check_outputs, check_suffix
from df2coco.progress import Progress, no_progress
from df2coco.split_names import split_of
from df2coco.subsets.split import pair_of

_IMAGE: Final = {"id": "image ids", "pair_id": "pair ids", "license": "license ids"}
_ANNOTATION: Final = {
    "id": "annotation ids",
    "image_id": "image ids",
    "pair_id": "pair ids",
    "category_id": "category ids",
}
"""Field -> what may be numbered anew."""

_KINDS: Final = ("image ids", "annotation ids", "pair ids", "category ids", "license ids")


@dataclass(frozen=True, slots=True)
class Merged:
    """What `merge` wrote.

    - images: Images in the new file.
    - annotations: Annotations in it.
    - renumbered: "image ids", "annotation ids", "pair ids", "category ids", "license ids" -> the
      files in which they were numbered anew.
    - folders: What was put before the names of each file's images; () when the names did not
      collide.
    - left_out: Outermost keys, of no list of COCO, that are not the same in all files.
    """

    images: int
    annotations: int
    renumbered: Mapping[str, tuple[str, ...]]
    folders: tuple[str, ...]
    left_out: tuple[str, ...]


class _Input:
    """One of the files: what is in it, and what changes."""

    def __init__(self, path: Path) -> None:
        """Raises `CocoFileError`."""
        self.path = path
        self.name = split_of(path.stem) or path.stem
        """The split that the file's name means, else the name itself."""
        self.document, parts = read_parts(path, "any", as_objects=True)
        """All but the annotations."""
        self.ids: dict[str, set[Any]] = {kind: set() for kind in _KINDS}
        """Of each of `_KINDS`. Of pairs also those that are text, and None for none."""
        self.shapes: set[str] = set()
        """Of masks and landmarks (`ALL_OR_NONE`) what its annotations have."""
        self.new: dict[str, dict[Any, int]] = {kind: {} for kind in _KINDS}
        """Ids that change -> those of the merged file."""
        self.foreign: set[Any] = set()
        """Ids of licenses of other files alone."""
        self.folder = ""
        used: dict[str, set[int]] = {"image_id": set(), "category_id": set()}
        for part in parts:
            self.ids["annotation ids"].update(entry["id"] for entry in part)
            self.ids["pair ids"].update(map(pair_of, part))
            self.shapes.update(n for n in ALL_OR_NONE if any(entry.get(n) for entry in part))
            for name in used:
                used[name].update(entry[name] for entry in part)
        self.ids["pair ids"].update(map(pair_of, self.document["images"]))
        for name, entries in (("image_id", "images"), ("category_id", "categories")):
            known = {entry["id"] for entry in self.document[entries]}
            check_known(path, name, used[name], known)
            self.ids[f"{name[:-3]} ids"] = known

    def image(self, entry: Entry) -> Entry:
        """An image as the merged file has it."""
        changed = self.renumbered(entry, _IMAGE)
        if _key(entry.get("license")) in self.foreign:
            del changed["license"]  # a number that means nothing here, and something there
        if isinstance(entry.get("file_name"), str):
            changed["file_name"] = self.place(entry["file_name"])
        return changed

    def place(self, file_name: str) -> str:
        """The `file_name` of an image in the merged file."""
        return f"{self.folder}/{file_name}" if self.folder else file_name

    def renumbered(self, entry: Entry, fields: Mapping[str, str] = _ANNOTATION) -> Entry:
        """An entry as the merged file has it, by the ids in its `fields`."""
        changed = entry.copy()
        for name, kind in fields.items():
            if (value := _key(entry.get(name))) in self.new[kind]:
                changed[name] = self.new[kind][value]
        return changed


def _key(value: Any) -> int | str | None:
    """What may be an id; None for anything else (true equals 1, and lists cannot be looked up)."""
    return value if type(value) in (int, str) else None


def merge(
    paths: Sequence[str | Path],
    out: str | Path,
    *,
    folders: Sequence[str] = (),
    by_name: bool = False,
    progress: Progress = no_progress,
) -> Merged:
    """Merge the COCO files at `paths`, two or more, into one at `out`.

    Image ids, annotation ids and `pair_id`s that occur in several files are made different: all those of
    the later file move up behind the largest one so far. (`pair_id`s repeat across the dataset's splits,
    and mean other garments there.) Where file names collide, each file's split and `image` are put before
    them: "train/image/000001.jpg"; `folders` names other folders, one for each file. Categories of one name are
    one category; with `by_name` the new file has those of all files.

    Of what df2coco notes in `info`, what holds for all files is kept; all their licenses are. A
    `license` of an image that its file does not list is left out where it would mean another's.

    Raises `OptionError` for too few files or folders, or folders that are not names below a folder,
    `CocoFileError` when a file cannot be read or the files do not fit together (other categories, or
    masks or landmarks in some of them alone), `OutputError` when `out` cannot be written.
    """
    check_list("paths", paths)
    check_list("folders", folders)
    sources, out = [Path(path) for path in paths], Path(out)
    if len(sources) < 2:
        raise OptionError("name two files or more to merge.")
    if folders and len(folders) != len(sources):
        text = f"{len(folders)} for {len(sources)} files. Name one folder for each file."
        raise OptionError(text, field="folders")
    for name in filter(None, folders):
        # File names must not lie outside of the images' folder, and must be portable.
        is_below = not is_outside(name.rstrip("/")) and not is_address(name)
        if not is_below or "\\" in name or not name.isprintable():
            text = "is not the name of a folder below that of the images. Example: train/image"
            raise OptionError(f"{shorten(name)} {text}", field="folders")
    check_suffix(out, ".json")
    check_outputs([out], sources)
    inputs: list[_Input] = []
    for number, path in enumerate(sources):
        progress("reading files", number, len(sources))
        inputs.append(_Input(path))
        for earlier in inputs[:-1]:
            _check_fit(earlier, inputs[-1])
    categories = _join_categories(inputs, by_name)
    others, left_out = _others(inputs)
    for kind in ("image ids", "annotation ids", "pair ids"):
        _renumber(inputs, kind)
    _choose_folders(inputs, folders)
    head = _info(inputs), categories, out, others
    with Outputs() as files, Writer(files.open(out), *head) as writer:
        for number, each in enumerate(inputs):
            progress("writing files", number, len(inputs))
            for part in read_parts(each.path, "any", as_objects=True)[1]:
                writer.add_entries((), map(each.renumbered, part))
            writer.add_entries(map(each.image, each.document["images"]), ())
        writer.close()
        progress("writing files", len(inputs), len(inputs))
    return Merged(
        writer.num_images,
        writer.num_annotations,
        {kind: tuple(str(each.path) for each in inputs if each.new[kind]) for kind in _KINDS},
        tuple(each.folder for each in inputs) if any(each.folder for each in inputs) else (),
        left_out,
    )


def _check_fit(earlier: _Input, other: _Input) -> None:
    """Raise `CocoFileError` for two files that do not fit together, whatever their categories are."""
    ours, theirs = (conversion_of(each.document.get("info")) for each in (earlier, other))
    for name in ("task", "landmarks", "area"):
        own, value = getattr(ours, name, None), getattr(theirs, name, None)
        if own is not None and value is not None and own != value:
            text = f"{shorten(value)}, but {shorten(own)} in {earlier.path}. "
            text += f"Convert both with the same --{name}."
            raise CocoFileError(text, file=other.path, field=f"info.df2coco.{name}")
    has_items = earlier.ids["annotation ids"] and other.ids["annotation ids"]
    for name in ALL_OR_NONE:
        if not has_items or (name in earlier.shapes) == (name in other.shapes):
            continue
        without, with_it = (other, earlier) if name in earlier.shapes else (earlier, other)
        text = f"have no {name}, but those of {with_it.path} have: readers stop where only some of "
        text += "a file have it. Add it, or remove it from all."
        raise CocoFileError(text, file=without.path, field="annotations")
    shared = earlier.ids["pair ids"] & other.ids["pair ids"]
    if shared := {pair for pair in shared if isinstance(pair, str)}:
        text = f"{shorten(min(shared))} is in {earlier.path}, too, and pairs of two files are not "
        text += "the same. Write whole numbers, which merge can change."
        raise CocoFileError(text, file=other.path, field="pair_id")


def _join_categories(inputs: Sequence[_Input], by_name: bool) -> list[Entry]:
    """The categories of all files. Those of one name are one category, whatever their ids, order and colors.

    Raises `CocoFileError` where names are not unique, where a file has others (unless `by_name`), and where
    landmark names or skeletons differ.
    """
    first, *others = inputs
    joined: list[Entry] = list(first.document["categories"])
    for each in others:
        entries: list[Entry] = each.document["categories"]
        if entries == joined:
            continue
        ours, theirs = ({str(e.get("name", e["id"])): e for e in n} for n in (joined, entries))
        fault: str | None = "two have one name. Give each its own"
        if len(ours) == len(joined) and len(theirs) == len(entries):
            fault = next(_misfits(ours, theirs, first.path, by_name), None)
        if fault:
            raise CocoFileError(f"{fault}.", file=each.path, field="categories")
        for name, entry in theirs.items():
            if name not in ours:
                taken = {other["id"] for other in joined}
                number = max(taken) + 1 if entry["id"] in taken else entry["id"]
                ours[name] = {**entry, "id": number}
                joined.append(ours[name])
            if ours[name]["id"] != entry["id"]:
                each.new["category ids"][entry["id"]] = ours[name]["id"]
    return joined


def _misfits(
    ours: Mapping[str, Entry], theirs: Mapping[str, Entry], first: Path, by_name: bool
) -> Iterator[str]:
    """Why categories, by their names, cannot be joined with ours, which are those of the file `first`."""
    for name, entry in () if by_name else (*theirs.items(), *ours.items()):
        if name not in ours or name not in theirs:
            by_id = ({e["id"]: shorten(n) for n, e in part.items()} for part in (ours, theirs))
            own, other = (part.get(entry["id"], "nothing") for part in by_id)
            text = f"{entry['id']}: {own} in {first}, {other} here"
            yield f"{text}. With --by-name the file gets the categories of both"
    for name, entry in theirs.items():
        for part in ("keypoints", "skeleton") if name in ours else ():
            if (ours[name].get(part) or []) != (entry.get(part) or []):
                yield f"{part} of {shorten(name)} are not those of {first}. Make them equal"


def _renumber(inputs: Sequence[_Input], kind: str) -> None:
    """Move the ids of a file that are those of files before it, all by the same number."""
    taken: set[int] = set()
    for each in inputs:
        ids = {number for number in each.ids[kind] if type(number) is int}
        if not taken.isdisjoint(ids):
            # Behind the largest, counted from 1, also where an id is 0 or less.
            offset = max(taken) + 1 - min({1} | ids)
            each.new[kind] = {number: number + offset for number in ids}
            ids = set(each.new[kind].values())
            if not is_id(max(ids)):
                text = f"its {kind} would exceed 64 bits behind those of the files before it. "
                text += "Number the images, annotations and pairs of all files from 1."
                raise CocoFileError(text, file=each.path)
        taken |= ids


def _choose_folders(inputs: Sequence[_Input], folders: Sequence[str]) -> None:
    def collide() -> bool:
        names = [
            {each.place(str(e["file_name"])) for e in each.document["images"] if "file_name" in e}
            for each in inputs
        ]
        return len(set().union(*names)) < sum(map(len, names))

    for number, each in enumerate(inputs if folders or collide() else ()):
        each.folder = folders[number].rstrip("/") if folders else f"{each.name}/image"
    if collide():
        names = ", ".join(str(each.path) for each in inputs)
        text = f"images of {names} have equal file names."
        raise CocoFileError(f"{text} Name a folder for each with --folder.")


def _info(inputs: Sequence[_Input]) -> Any:
    """The first file's `info`. What df2coco notes in it is kept where all files agree."""
    infos = [each.document.get("info") for each in inputs]
    made = [conversion_of(info) for info in infos]
    noted = [info["df2coco"] if info and one else {} for info, one in zip(infos, made, strict=True)]
    if not any(noted):
        return infos[0]
    agreed = _agreed(noted)
    if any(one and not one.sizes_known for one in made):
        agreed["image_sizes"] = SIZES_UNKNOWN
    first = infos[0] if isinstance(infos[0], dict) else {}
    return {**first, "df2coco": {**agreed, "merged": [each.name for each in inputs]}}


def _agreed(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What is the same in all of some objects."""
    return {k: v for k, v in found[0].items() if all(k in each and each[k] == v for each in found)}


def _others(inputs: Sequence[_Input]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The licenses, the further outermost keys that are the same in all files, and the names of the rest."""
    found = [{k: v for k, v in each.document.items() if k not in OWN_KEYS} for each in inputs]
    same = _agreed(found) | {"licenses": _licenses(inputs)}
    return same, tuple(dict.fromkeys(name for each in found for name in each if name not in same))


def _licenses(inputs: Sequence[_Input]) -> list[Any]:
    """All files' licenses; one whose id is another license's before it is numbered anew."""
    joined: list[Any] = []
    taken: dict[Any, Entry] = {}
    for each in inputs:
        licenses = each.document.get("licenses")
        for entry in licenses if isinstance(licenses, list) else ():
            own = _key(entry.get("id")) if isinstance(entry, dict) else None
            if own is not None:
                each.ids["license ids"].add(own)
            if entry in joined:
                continue
            if own in taken:
                alike = (number for number in taken if {**taken[number], "id": own} == entry)
                number = next(alike, max(filter(is_id, taken), default=0) + 1)
                each.new["license ids"][own] = number
                if number in taken:
                    continue
                own, entry = number, {**entry, "id": number}
            if own is not None:
                taken[own] = entry
            joined.append(entry)
    for each in inputs:
        each.foreign = taken.keys() - each.ids["license ids"]
    return joined
