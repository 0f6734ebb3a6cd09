"""Mutated input of all kinds: annotation files, COCO files and results, images, archives, outlines, retrieval.

    python -m tests.tools.fuzz --annotations 100000 --coco 20000 --headers 50000 --seed 0

Nothing may end in anything but a `Df2cocoError`, take two seconds or 700 MB. What is accepted must be right, too:
each kind is compared with something that shares no code with df2coco. A case is known by its number:
`--only 4711` runs that one again, of each kind.
"""
