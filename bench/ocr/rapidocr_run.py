"""RapidOCR as it comes, on pictures: one line of JSON with the lines of each, and the time to standard error.

usage: rapidocr_run.py PICTURE…
"""

import json
import logging
import resource
import sys
import time

from rapidocr import RapidOCR

logging.disable(logging.INFO)
engine = RapidOCR()
begun = time.time()
for path in sys.argv[1:]:
    result = engine(path)
    print(json.dumps(list(result.txts or []), ensure_ascii=False), flush=True)
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
print(f"{len(sys.argv) - 1} pictures, {time.time() - begun:.1f} s, {most} MB at most", file=sys.stderr)
