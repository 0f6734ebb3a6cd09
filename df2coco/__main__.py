"""`python -m df2coco`."""

from df2coco.cli import main

main()
