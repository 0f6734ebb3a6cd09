"""Pictures of a dataset: photos with their annotations, contact sheets, and the poster of the landmarks.

- `draw_image(image, annotations, categories)`: one open picture and its annotations -> a picture.
- `draw(coco_file, images, out)`: pictures of a COCO file's images, written to a file or a folder.
- `draw_skeletons(out)`: the poster of the 13 landmark definitions, as `.png` or `.svg`.
- `Photos(images).open(image)`: the pixels behind an entry of `images`, from a folder or an archive.

Pillow is loaded by the first call, not by the import.
"""

from df2coco.drawing.batch import draw, draw_skeletons
from df2coco.drawing.drawables import PARTS, USUAL_PARTS
from df2coco.drawing.inputs import Photos
from df2coco.drawing.overlay import draw_image

__all__ = ["PARTS", "USUAL_PARTS", "Photos", "draw", "draw_image", "draw_skeletons"]
