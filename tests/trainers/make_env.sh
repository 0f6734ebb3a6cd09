#!/usr/bin/env bash
# make_env.sh DIR: an environment in DIR with Ultralytics, transformers, RF-DETR and smaller tools, for the
# CPU, and with df2coco from this tree. 2 GB, about two minutes; nothing to do when DIR is up to date.
#
# PYTHON names the interpreter (default python3; 3.11 is the one these versions were measured with).
# Only pip and its configured indexes are used. PyPI's own torch for Linux brings CUDA along; to do
# without, point pip at the CPU builds: PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu
set -euo pipefail

env=${1:?usage: make_env.sh DIR}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
stamp=$env/made-from
recipe=$(cat "${BASH_SOURCE[0]}" "$here"/*.txt "$root/pyproject.toml" | cksum)

if [ "$(cat "$stamp" 2>/dev/null)" = "$recipe" ] && "$env/bin/python" -c "import df2coco" 2>/dev/null; then
    exit 0
fi

"${PYTHON:-python3}" -m venv "$env"
rm -f "$stamp"
install() { "$env/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }

# torch first and alone: it then satisfies every range, and nothing pulls another one in.
install torch==2.13.0
install --no-deps torchvision==0.28.0
install -r "$here/requirements.txt"

# Ultralytics declares opencv-python, which needs libraries of a desktop; the headless one does as well.
install --no-deps ultralytics==8.4.190 ultralytics-thop

install --editable "$root[test,yolo]"

echo "$recipe" >"$stamp"
