"""Tesseract on pictures, as many at a time as there are processors: output as rapidocr_run.py.

usage: tesseract_run.py PICTURE…, with `tesseract` on the path. The name of a picture begins with the code of its language.
"""

import json
import os
import pathlib
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

CODES = {"en": "eng", "fr": "fra", "de": "deu", "es": "spa", "it": "ita", "pl": "pol", "cs": "ces"}


def read(path):
    language = CODES.get(pathlib.Path(path).stem.split("-")[0], "eng")
    command = ["tesseract", path, "-", "-l", language, "--psm", os.environ.get("PSM", "3")]
    # One thread each: with more, the threads of several wait for one another.
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    return subprocess.run(command, capture_output=True, check=True, text=True, env=environment).stdout


begun = time.time()
with ThreadPoolExecutor(os.cpu_count()) as pool:
    for path, text in zip(sys.argv[1:], pool.map(read, sys.argv[1:]), strict=True):
        print(json.dumps({"page": path, "text": text}, ensure_ascii=False), flush=True)
used = resource.getrusage(resource.RUSAGE_CHILDREN)
times = {"seconds": time.time() - begun, "processor": used.ru_utime + used.ru_stime, "megabytes": used.ru_maxrss >> 10}
print(json.dumps({"pages": len(sys.argv) - 1, **times}), file=sys.stderr)
