"""How much of known pages was read, in per cent: characters right, and words in the order of the text.

usage: score.py TEXTS RESULT…

TEXTS is the directory `text` that pages.py has written. A RESULT holds one line of JSON for each page: `page`, the path of the
picture, and `text`. Prints one line for each variant and kind of pages, with two numbers for each result.

Characters: each line of the page is laid on the part of the text that was read which differs least from it, long lines first, and
no part is used twice; what is left over is wrong. So no order of columns and cells costs anything. Words: the longest sequence of
words that text and page have in common; here the order counts. A word that is cut at the end of a line is one, whether a contender
has put it together or not; so hyphens of words do not count. Marks of Markdown and the dots of lists are left out. Quotation marks,
apostrophes and dashes are the same in all their forms; with STRICT=1 they are not.
"""

import collections
import json
import os
import pathlib
import re
import sys
import unicodedata

import numpy
from rapidfuzz.distance import LCSseq

SAME = str.maketrans({"„": '"', "“": '"', "”": '"', "«": '"', "»": '"', "’": "'", "‘": "'", "–": "-", "—": "-"})
# Stands where a part was taken out of the text; no line goes over it.
HOLE = "\0"


def plain(text):
    text = unicodedata.normalize("NFC", text)
    if not os.environ.get("STRICT"):
        text = text.translate(SAME).replace("…", "...").replace("''", '"').replace(",,", '"')
    # Dots that lead to a number are no text, nor are those of lists.
    text = re.sub(r"(\. ?){4,}|[•●▪]", " ", text)
    return " ".join(text.split())


def without_marks(text):
    text = re.sub(r"^\s*(#+ |[-*] (?=\S)|\|[-| :]*\|$)", "", text, flags=re.M)
    return re.sub(r"\\([\\`*_{}\[\]()#+.!|<>&~-])", r"\1", re.sub(r"(?<!\\)\|", " ", text))


def words_of(text):
    text = re.sub(r"(?<=\w)[-­]\s*\n\s*(?=\w)", "", text)
    return [word.replace("-", "") or word for word in plain(text).split()]


def nearest(line, text):
    """The distance of a line from the nearest part of a text, and where that begins and ends (Sellers 1980)."""
    codes = numpy.frombuffer(text.encode("utf-32-le"), dtype=numpy.uint32)
    steps = numpy.where(codes == 0, 10_000, 1)
    gone = numpy.concatenate(([0], numpy.cumsum(steps)))
    row = numpy.zeros(len(codes) + 1, dtype=numpy.int64)
    begins = numpy.arange(len(codes) + 1)
    for character in line:
        other = row[:-1] + numpy.where(codes == ord(character), 0, steps)
        left_out = row[1:] + 1
        best = numpy.concatenate(([row[0] + 1], numpy.minimum(other, left_out)))
        origin = numpy.concatenate(([begins[0]], numpy.where(other <= left_out, begins[:-1], begins[1:])))
        # Characters of the text that the line lacks: the least over all places before.
        lowest = numpy.minimum.accumulate(best - gone)
        at = numpy.maximum.accumulate(numpy.where(best - gone == lowest, numpy.arange(len(best)), 0))
        row, begins = lowest + gone, origin[at]
    end = int(row.argmin())
    return int(row[end]), int(begins[end]), end


def page(known, text):
    """Wrong characters, all characters, words in order, all words."""
    lines = [plain(line) for line in known["lines"]]
    words = words_of("\n".join(known["lines"]))
    read = plain(without_marks(text))
    in_order = LCSseq.similarity(words, words_of(without_marks(text)))
    wrong = 0
    for line in sorted(lines, key=len, reverse=True):
        distance, begin, end = nearest(line, read)
        if distance < len(line):
            wrong += distance
            read = read[:begin] + HOLE + read[end:]
        else:
            wrong += len(line)
    for line in map(plain, known["beside"]):
        distance, begin, end = nearest(line, read)
        if distance < len(line):
            read = read[:begin] + HOLE + read[end:]
    wrong += len(read.replace(HOLE, "").replace(" ", ""))
    return numpy.array([wrong, sum(map(len, lines)), in_order, len(words)])


def main():
    texts = pathlib.Path(sys.argv[1])
    sums = [collections.defaultdict(lambda: numpy.zeros(4, dtype=int)) for _ in sys.argv[2:]]
    for path, of_result in zip(sys.argv[2:], sums, strict=True):
        for line in open(path, encoding="utf-8"):
            result = json.loads(line)
            name = pathlib.Path(result["page"])
            counts = page(json.loads((texts / f"{name.stem}.json").read_text("utf-8")), result["text"])
            if os.environ.get("EACH"):
                print(f"{path} {name.parent.name}/{name.stem}: {counts}")
            variant = name.parent.name
            language, _, kind = name.stem.partition("-")
            groups = {variant, "noisy" if "noisy" in variant else variant.partition("-")[0], language, kind, "all"}
            for group in groups:
                of_result[group] += counts
    print(f"| pages | {' | '.join(pathlib.Path(path).stem for path in sys.argv[2:])} |")
    print("|---" * len(sys.argv[1:]) + "|")
    for group in sorted(set().union(*sums)):
        cells = [
            f"{100 - 100 * of_result[group][0] / of_result[group][1]:.2f} / {100 * of_result[group][2] / of_result[group][3]:.2f}"
            if group in of_result
            else ""
            for of_result in sums
        ]
        print(f"| {group} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
