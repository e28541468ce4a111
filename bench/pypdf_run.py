"""Reads files with pypdf. For each path that comes on standard input, it prints the seconds that reading its text took and
the text, as JSON."""

import json
import sys
import time

from pypdf import PdfReader

for line in sys.stdin:
    begun = time.perf_counter()
    text = "\n".join(page.extract_text() for page in PdfReader(line.strip()).pages)
    print(json.dumps([time.perf_counter() - begun, text]), flush=True)
