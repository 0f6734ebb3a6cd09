"""Several COCO files into one: what collides is numbered anew, nothing else changes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from df2coco.coco.file_names import is_address, is_outside
from df2coco.coco.format import Entry
from df2coco.coco.info import SIZES_UNKNOWN, conversion_of
from df2coco.coco.schema import ALL_OR_NONE, is_id
from df2coco.coco.writer import Writer
from df2coco.errors import CocoFileError, OptionError, check_list, shorten
from df2coco.outputs import Outputs, check_json_name, check_outputs
from df2coco.progress import Progress, no_progress
from df2coco.split_names import split_of
from df2coco.subsets.entries import check_images_known, others_of, pair_of, read_checked

_IDS: Final[tuple[str, ...]] = ("image ids", "annotation ids", "pair ids")


@dataclass(frozen=True, slots=True)
class Merged:
    """What `merge` wrote.

    - images: Images in the new file.
    - annotations: Annotations in it.
    - renumbered: "image ids", "annotation ids", "pair ids" -> the files in which they were
      numbered anew; "category ids" too, where there are such files.
    - folders: What was put before the names of each file's images; () when the names did not
      collide.
    - left_out: Outermost keys, of no list of COCO, that are not the same in all files.
    """

    images: int
    annotations: int
    renumbered: Mapping[str, tuple[str, ...]]
    folders: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(slots=True)
class _Input:
    """One of the files, and what was found in it."""

    path: Path
    document: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, set[int]] = field(default_factory=lambda: {name: set() for name in _IDS})
    used_images: set[int] = field(default_factory=set)
    """The `image_id`s of annotations."""
    other_pairs: set[str] = field(default_factory=set)
    """Values of `pair_id` that are not whole numbers."""
    shapes: set[str] = field(default_factory=set)
    """Of masks and landmarks (`ALL_OR_NONE`) what its annotations have."""
    offsets: dict[str, int] = field(default_factory=dict)
    categories: dict[int, int] = field(default_factory=dict)
    """Category id -> that of the merged file, where it may be another one."""
    licenses: dict[str, int] = field(default_factory=dict)
    """`repr` of a license's id -> its new one, where that is another one."""
    folder: str = ""

    def take(self, annotations: list[Entry]) -> None:
        """Note the ids of some annotations."""
        self.ids["annotation ids"].update(each["id"] for each in annotations)
        self.used_images.update(each["image_id"] for each in annotations)
        self.shapes.update(n for n in ALL_OR_NONE if any(each.get(n) for each in annotations))
        self._note_pairs(annotations)

    def take_images(self) -> None:
        """Note the ids of the images. Raises `CocoFileError` for annotations of no image."""
        check_images_known(self.path, self.used_images, self.document["images"])
        self.ids["image ids"].update(each["id"] for each in self.document["images"])
        self._note_pairs(self.document["images"])

    def _note_pairs(self, entries: Iterable[Entry]) -> None:
        for pair in map(pair_of, entries):
            if isinstance(pair, int):
                self.ids["pair ids"].add(pair)
            elif pair is not None:
                self.other_pairs.add(pair)

    def image(self, entry: Entry) -> Entry:
        """An image as the merged file has it."""
        changed = {**entry, "id": entry["id"] + self.offsets["image ids"]}
        if self.folder and isinstance(entry.get("file_name"), str):
            changed["file_name"] = f"{self.folder}/{entry['file_name']}"
        if (number := self.licenses.get(repr(entry.get("license")))) is not None:
            changed["license"] = number
        return self._with_pair(changed)

    def annotation(self, entry: Entry) -> Entry:
        """An annotation as the merged file has it."""
        return self._with_pair(
            {
                **entry,
                "id": entry["id"] + self.offsets["annotation ids"],
                "image_id": entry["image_id"] + self.offsets["image ids"],
                "category_id": self.categories.get(entry["category_id"], entry["category_id"]),
            }
        )

    def _with_pair(self, entry: Entry) -> Entry:
        pair = pair_of(entry)
        if isinstance(pair, int):
            entry["pair_id"] = pair + self.offsets["pair ids"]
        return entry


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

    Of what df2coco notes in `info`, what holds for all files is kept; all their licenses are.

    Raises `OptionError` for too few files or folders, or folders that are not names below a folder,
    `CocoFileError` when a file cannot be read or the files do not fit together (other categories, or
    masks or landmarks in some of them alone), `OutputError` when `out` cannot be written.
    """
    check_list("paths", paths)
    check_list("folders", folders)
    inputs = [_Input(Path(path)) for path in paths]
    out = Path(out)
    if len(inputs) < 2:
        raise OptionError("name two files or more to merge.")
    if folders and len(folders) != len(inputs):
        raise OptionError(
            f"{len(folders)} for {len(inputs)} files. Name one folder for each file.",
            field="folders",
        )
    for name in folders:
        _check_folder(name)
    check_json_name(out)
    check_outputs([out], [each.path for each in inputs])
    for number, each in enumerate(inputs):
        progress("reading files", number, len(inputs))
        each.document = read_checked(each.path, each.take)
        each.take_images()
        _check_fit(inputs[0], each)
        _check_shapes(inputs[:number], each)
        _check_pairs(inputs[:number], each)
    categories = _join_categories(inputs, by_name)
    renumbered = {name: _renumber(inputs, name) for name in _IDS}
    moved = [str(i.path) for i in inputs if any(old != i.categories[old] for old in i.categories)]
    renumbered |= {"category ids": tuple(moved)} if moved else {}
    _choose_folders(inputs, folders)
    others, left_out = _others(inputs)
    head = _info(inputs), categories, out, others
    with Outputs() as files, Writer(files.open(out), *head) as writer:
        for number, each in enumerate(inputs):
            progress("writing files", number, len(inputs))

            def write(annotations: list[Entry], each: _Input = each) -> None:
                writer.add_entries((), list(map(each.annotation, annotations)))

            read_checked(each.path, write)
            writer.add_entries(list(map(each.image, each.document["images"])), ())
        writer.close()
        progress("writing files", len(inputs), len(inputs))
    return Merged(
        writer.num_images,
        writer.num_annotations,
        renumbered,
        tuple(each.folder for each in inputs) if any(each.folder for each in inputs) else (),
        left_out,
    )


def _join_categories(inputs: Sequence[_Input], by_name: bool) -> list[Any]:
    """The categories of all files. Those of one name are one category, whatever their ids, order and colors.

    Raises `CocoFileError` where names are not unique, where a file has others (unless `by_name`), and where
    landmark names or skeletons differ.
    """
    first, *others = inputs
    joined: list[Any] = list(first.document["categories"])
    for each in others:
        entries: list[Entry] = each.document["categories"]
        if entries == joined:
            continue
        ours = {str(entry.get("name")): entry for entry in joined}
        theirs = {str(entry.get("name")): entry for entry in entries}
        if len(ours) < len(joined) or len(theirs) < len(entries):
            raise _other_category(each, "two have one name. Give each its own")
        if not by_name and ours.keys() != theirs.keys():
            name = next((name for name in theirs if name not in ours), "")
            known = {entry["id"]: other for other, entry in ours.items()}
            text = (
                f"{shorten(next(n for n in ours if n not in theirs))} is missing"
                if not name
                else (
                    f"{theirs[name]['id']}: {shorten(known.get(theirs[name]['id'], 'nothing'))} in {first.path}, "
                    f"{shorten(name)} here"
                )
            )
            raise _other_category(
                each, f"{text}. With --by-name the file gets the categories of both"
            )
        for name, entry in theirs.items():
            for part in ("keypoints", "skeleton") if name in ours else ():
                if (ours[name].get(part) or []) != (entry.get(part) or []):
                    text = f"{part} of {shorten(name)} are not those of {first.path}"
                    raise _other_category(each, f"{text}. Make them equal")
            if name not in ours:
                taken = {other["id"] for other in joined}
                number = max(taken) + 1 if entry["id"] in taken else entry["id"]
                ours[name] = {**entry, "id": number}
                joined.append(ours[name])
            each.categories[entry["id"]] = ours[name]["id"]
    return joined


def _other_category(each: _Input, text: str) -> CocoFileError:
    return CocoFileError(f"{text}.", file=each.path, field="categories")


def _check_fit(first: _Input, other: _Input) -> None:
    ours = [conversion_of(each.document.get("info")) for each in (first, other)]
    for name in ("task", "landmarks", "area"):
        found = [getattr(each, name, None) for each in ours]
        if None not in found and found[0] != found[1]:
            raise CocoFileError(
                f"{shorten(found[1])}, but {shorten(found[0])} in {first.path}. "
                f"Convert both with the same --{name}.",
                file=other.path,
                field=f"info.df2coco.{name}",
            )


def _check_shapes(before: Sequence[_Input], other: _Input) -> None:
    """Raise `CocoFileError` when only a part of the merged annotations would have masks or landmarks."""
    for each in before:
        if not each.used_images or not other.used_images:
            continue
        for name in ALL_OR_NONE:
            if (name in each.shapes) != (name in other.shapes):
                without, others = (other, each) if name in each.shapes else (each, other)
                raise CocoFileError(
                    f"have no {name}, but those of {others.path} have: readers stop where only some of "
                    "a file have it. Add it, or remove it from all.",
                    file=without.path,
                    field="annotations",
                )


def _check_pairs(before: Sequence[_Input], other: _Input) -> None:
    """Raise `CocoFileError` for pairs that would be joined, and that have no number to change."""
    for each in before:
        shared = each.other_pairs & other.other_pairs
        if shared:
            raise CocoFileError(
                f"{shorten(min(shared))} stands in {each.path}, too, and pairs of two files are not the same. "
                "Write whole numbers, which merge can change.",
                file=other.path,
                field="pair_id",
            )


def _check_folder(name: str) -> None:
    """Raise `OptionError` when file names would lie outside of the images' folder, or not be portable."""
    if name and (
        is_outside(name.rstrip("/")) or is_address(name) or "\\" in name or not name.isprintable()
    ):
        raise OptionError(
            f"{shorten(name)} is not the name of a folder below that of the images. Example: train/image",
            field="folders",
        )


def _renumber(inputs: Sequence[_Input], name: str) -> tuple[str, ...]:
    """Choose what each file's ids are moved by; the names of the files whose ids move."""
    taken: set[int] = set()
    moved: list[str] = []
    for each in inputs:
        ids = each.ids[name]
        each.offsets[name] = 0
        if not taken.isdisjoint(ids):
            # Behind the largest, counted from 1, also where an id is 0 or less.
            each.offsets[name] = max(taken) + 1 - min({1} | ids)
            moved.append(str(each.path))
        taken.update(number + each.offsets[name] for number in ids)
        if each.offsets[name] and not is_id(max(taken)):
            raise CocoFileError(
                f"its {name} would exceed 64 bits behind those of the files before it. Number the images, "
                "annotations and pairs of all files from 1.",
                file=each.path,
            )
    return tuple(moved)


def _choose_folders(inputs: Sequence[_Input], folders: Sequence[str]) -> None:
    if folders:
        for each, folder in zip(inputs, folders, strict=True):
            each.folder = folder.rstrip("/")
    elif _names_collide(inputs):
        for each in inputs:
            each.folder = f"{_name_of(each.path)}/image"
    if _names_collide(inputs):
        names = ", ".join(str(each.path) for each in inputs)
        raise CocoFileError(
            f"images of {names} have equal file names. Name a folder for each with --folder."
        )


def _names_collide(inputs: Sequence[_Input]) -> bool:
    seen: set[str] = set()
    for each in inputs:
        names = {
            str(each.image(entry)["file_name"])
            for entry in each.document["images"]
            if "file_name" in entry
        }
        if not seen.isdisjoint(names):
            return True
        seen |= names
    return False


def _name_of(path: Path) -> str:
    """The split that a file's name means, else the name itself."""
    return split_of(path.stem) or path.stem


def _info(inputs: Sequence[_Input]) -> Any:
    """The first file's `info`. What df2coco notes in it is kept where all files agree."""
    infos = [each.document.get("info") for each in inputs]
    noted = [info.get("df2coco") if isinstance(info, dict) else None for info in infos]
    ours = [each if isinstance(each, dict) else {} for each in noted]
    if not any(ours):
        return infos[0]
    agreed = {
        name: value
        for name, value in ours[0].items()
        if all(name in each and each[name] == value for each in ours)
    }
    made = [made for info in infos if (made := conversion_of(info)) is not None]
    if not all(each.sizes_known for each in made):
        agreed |= {"image_sizes": SIZES_UNKNOWN}
    first = infos[0] if isinstance(infos[0], dict) else {}
    return {**first, "df2coco": {**agreed, "merged": [_name_of(i.path) for i in inputs]}}


def _licenses(inputs: Sequence[_Input]) -> list[Any]:
    """All files' licenses; one whose id is another license's before it is numbered anew."""
    found: dict[str, Any] = {}
    for each in inputs:
        licenses = each.document.get("licenses")
        for entry in licenses if isinstance(licenses, list) else ():
            key = repr(entry.get("id") if isinstance(entry, dict) else entry)
            if found.setdefault(key, entry) != entry:
                same = (e["id"] for e in found.values() if {**e, "id": 0} == {**entry, "id": 0})
                ids = [e["id"] for e in found.values() if is_id(e.get("id"))]
                number = next(same, max(ids, default=0) + 1)
                each.licenses[key] = number
                found[repr(number)] = {**entry, "id": number}
    return list(found.values())


def _others(inputs: Sequence[_Input]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The licenses, the further outermost keys that are the same in all files, and the names of the rest."""
    found = [others_of(each.document) for each in inputs]
    names = dict.fromkeys(name for each in found for name in each if name != "licenses")
    same = {
        name: found[0][name]
        for name in names
        if all(name in each and each[name] == found[0].get(name) for each in found)
    }
    left_out = tuple(name for name in names if name not in same)
    return {"licenses": _licenses(inputs), **same}, left_out
