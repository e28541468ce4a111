"""Tesseract, two pictures at a time, each with the language in its name: output as rapidocr_run.py.

usage: tesseract_run.py PICTURE…, with `tesseract` on the path.
"""

import json
import pathlib
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

CODES = {"en": "eng", "fr": "fra", "de": "deu", "es": "spa", "it": "ita", "pl": "pol", "cs": "ces"}


def read(path):
    language = CODES[pathlib.Path(path).stem.split("-")[0]]
    command = ["tesseract", path, "-", "-l", language, "--psm", "3"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    return [line for line in done.stdout.splitlines() if line.strip()]


begun = time.time()
with ThreadPoolExecutor(2) as pool:
    for lines in pool.map(read, sys.argv[1:]):
        print(json.dumps(lines, ensure_ascii=False), flush=True)
print(f"{len(sys.argv) - 1} pictures, {time.time() - begun:.1f} s", file=sys.stderr)
