#!/usr/bin/env bash
# make_env.sh DIR: an environment in DIR with the real MMDetection, MMPose and Detectron2, for the CPU,
# and with df2coco from this tree. 1.6 GB, about two minutes; nothing to do when DIR is up to date.
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
install -r "$here/requirements.txt"

# MMPose declares chumpy, which no longer builds and which nothing in it imports. The wheel of xtcocotools
# was built for numpy 1; its setup.py imports numpy, so it needs ours rather than an isolated build.
install --no-deps mmpose==1.3.2
install --no-deps --no-build-isolation --no-binary xtcocotools xtcocotools==1.14.3

# Detectron2's compiled parts are not needed for datasets, mappers and evaluators; torchvision is.
install --no-deps torchvision==0.28.0

# Detectron2 is unpacked, not built.
rm -rf "$env/src" && mkdir "$env/src"
"$env/bin/python" -m pip download --quiet --disable-pip-version-check --no-deps --no-build-isolation \
    --no-binary :all: --dest "$env/src" -r "$here/detectron2.txt"
tar -xzf "$env"/src/pb1*detectron2-0.6.tar.gz -C "$env/src" --strip-components 1
purelib=$("$env/bin/python" -c "import sysconfig; print(sysconfig.get_path('purelib'))")
(cd "$env/src" && pwd) >"$purelib/detectron2.pth"

install --editable "$root[test]"

echo "$recipe" >"$stamp"
