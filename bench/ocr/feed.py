"""Writes pictures to standard output as PGM files, one after the other: what `recognize` reads. usage: feed.py PICTURE…"""

import sys

from PIL import Image

for path in sys.argv[1:]:
    with Image.open(path) as picture:
        picture.convert("L").save(sys.stdout.buffer, "PPM")
