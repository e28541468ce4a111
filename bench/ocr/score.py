"""How much of known text was read: characters right, and words in order within their lines, in per cent.

usage: score.py TEXTS RESULT PICTURE…

TEXTS is the directory `text` that pages.py has written, RESULT holds one line of JSON for each picture with its lines, as
`recognize`, rapidocr_run.py and tesseract_run.py print it. Each line of the page is compared with the line that was read
nearest to it, so that the order of columns, which is the layout's, counts for nobody. What was read beside is wrong. Quotation
marks, apostrophes and dashes are the same in all their forms; with STRICT=1 they are not.
"""

import collections
import json
import os
import pathlib
import sys
import unicodedata

from rapidfuzz.distance import LCSseq, Levenshtein

SAME = str.maketrans({"„": '"', "“": '"', "”": '"', "«": '"', "»": '"', "’": "'", "‘": "'", "–": "-", "—": "-"})


def plain(line):
    line = unicodedata.normalize("NFC", line)
    if not os.environ.get("STRICT"):
        line = line.translate(SAME).replace("…", "...")
    return " ".join(line.split())


def page(truth, read):
    """Wrong characters, all characters, words in order, all words."""
    truth, read = ([plain(line) for line in lines if line.strip()] for lines in (truth, read))
    near = []
    for at, line in enumerate(truth):
        for other, candidate in enumerate(read):
            distance = Levenshtein.distance(line, candidate, score_cutoff=len(line) - 1)
            if distance < len(line):
                near.append((distance, at, other))
    pairs, taken = {}, set()
    for distance, at, other in sorted(near):
        if at not in pairs and other not in taken:
            pairs[at] = (distance, other)
            taken.add(other)
    wrong = sum(pairs[at][0] if at in pairs else len(line) for at, line in enumerate(truth))
    wrong += sum(len(line) for other, line in enumerate(read) if other not in taken)
    in_order = sum(
        LCSseq.similarity(truth[at].split(), read[other].split()) for at, (_, other) in pairs.items()
    )
    return wrong, sum(map(len, truth)), in_order, sum(len(line.split()) for line in truth)


def main():
    texts, result, *pictures = sys.argv[1:]
    sums = collections.defaultdict(lambda: [0, 0, 0, 0])
    results = [json.loads(line) for line in open(result, encoding="utf-8")]
    for picture, read in zip(pictures, results, strict=True):
        stem = pathlib.Path(picture).stem
        truth = (pathlib.Path(texts) / f"{stem}.txt").read_text("utf-8").splitlines()
        for name in ("all", stem.split("-")[0]):
            sums[name] = [a + b for a, b in zip(sums[name], page(truth, read), strict=True)]
    for name, (wrong, characters, in_order, words) in sums.items():
        print(f"{name}: {100 - 100 * wrong / characters:.2f} {100 * in_order / words:.2f}")


if __name__ == "__main__":
    main()
