"""RapidOCR on pictures: one line of JSON for each, and the time to standard error.

usage: rapidocr_run.py PICTURE…

SETTINGS in the environment is JSON with settings of RapidOCR that differ from those it comes with.
"""

import json
import logging
import os
import resource
import sys
import time

from rapidocr import RapidOCR

logging.disable(logging.INFO)
engine = RapidOCR(params=json.loads(os.environ.get("SETTINGS", "{}")))
engine(sys.argv[1])
begun, used = time.time(), time.process_time()
for path in sys.argv[1:]:
    result = engine(path)
    print(json.dumps({"page": path, "text": "\n".join(result.txts or [])}, ensure_ascii=False), flush=True)
most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
seconds, processor = time.time() - begun, time.process_time() - used
print(json.dumps({"pages": len(sys.argv) - 1, "seconds": seconds, "processor": processor, "megabytes": most}), file=sys.stderr)
