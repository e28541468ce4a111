"""Pages made from known text, as pictures: what `socle-bench ocr` and its rivals read.

usage: pages.py HANDBOOK FONTS OUT [PAGES]

HANDBOOK is the directory of the Debian handbook with a directory for each language, FONTS one with the fonts Liberation and
DejaVu. Writes OUT/VARIANT/LANGUAGE-N.png and OUT/text/LANGUAGE-N.txt, the same pages in each variant: at 300, 200 and 150 dots
an inch, clean, noisy (blurred, grey, with grain, as a JPEG), and turned by 2 degrees. Nothing is random: a run repeats
another.
"""

import html
import io
import pathlib
import re
import sys

import numpy
from PIL import Image, ImageDraw, ImageFilter, ImageFont

LANGUAGES = {"en": "en-US", "fr": "fr-FR", "de": "de-DE", "es": "es-ES", "it": "it-IT", "pl": "pl-PL", "cs": "cs-CZ"}
FONTS = ["LiberationSerif-Regular", "LiberationSans-Regular", "DejaVuSerif", "DejaVuSans"]
DPI = 300
# A4 in inches, and its margin.
WIDTH, HEIGHT, MARGIN = 8.27, 11.69, 0.9


def paragraphs(directory):
    """Paragraphs of a hundred to a thousand characters, without marks."""
    for path in sorted(directory.glob("*.html")):
        for found in re.findall(r'<div class="para">(.*?)</div>', path.read_text("utf-8"), re.S):
            text = " ".join(html.unescape(re.sub(r"<[^>]*>", "", found)).split())
            # Soft hyphens and spaces of no width leave no ink.
            text = re.sub("[\u00ad\u200b\ufeff]", "", text).replace("\u00a0", " ").replace("\u202f", " ")
            if 100 <= len(text) <= 1000:
                yield text


def lines(draw, text, font, width):
    """The text broken into lines of at most this width."""
    line = ""
    for word in text.split():
        longer = f"{line} {word}".strip()
        if line and draw.textlength(longer, font=font) > width:
            yield line
            longer = word
        line = longer
    if line:
        yield line


def page(texts, fonts, number):
    """A page of one or two columns, and its text line by line."""
    inch = DPI
    picture = Image.new("L", (int(WIDTH * inch), int(HEIGHT * inch)), 255)
    draw = ImageDraw.Draw(picture)
    size = [10, 11, 12, 9][number % 4]
    font = ImageFont.truetype(str(fonts[FONTS[number % len(FONTS)]]), round(size * inch / 72))
    columns = 2 if number % 5 == 4 else 1
    gap = 0.35 * inch
    width = ((WIDTH - 2 * MARGIN) * inch - gap * (columns - 1)) / columns
    step = round(size * 1.3 * inch / 72)
    written = []
    for column in range(columns):
        left, y = MARGIN * inch + column * (width + gap), MARGIN * inch
        while True:
            broken = list(lines(draw, next(texts), font, width))
            if y + len(broken) * step > (HEIGHT - MARGIN) * inch:
                break
            for line in broken:
                draw.text((left, y), line, font=font, fill=20)
                written.append(line)
                y += step
            y += step // 2
    return picture, written


def noisy(picture, seed):
    """As a poor copy: soft, grey, with grain and spots, as a JPEG."""
    soft = picture.filter(ImageFilter.GaussianBlur(picture.height / 3500))
    grain = numpy.random.default_rng(seed)
    values = numpy.asarray(soft, dtype=float)
    values = 55 + values * (215 - 55) / 255 + grain.normal(0, 14, values.shape)
    values[grain.random(values.shape) < 0.0006] = 70
    bytes_ = io.BytesIO()
    Image.fromarray(values.clip(0, 255).astype("uint8")).save(bytes_, "JPEG", quality=60)
    return Image.open(bytes_).convert("L")


def variants(picture, seed):
    """The page as each variant has it."""
    turned = picture.rotate(-2, Image.Resampling.BICUBIC, fillcolor=255)
    for dpi in [300, 200, 150]:
        size = (round(picture.width * dpi / DPI), round(picture.height * dpi / DPI))
        small = picture.resize(size, Image.Resampling.BOX) if dpi != DPI else picture
        yield f"clean-{dpi}", small, dpi
        yield f"noisy-{dpi}", noisy(small, seed), dpi
        yield f"turned-{dpi}", turned.resize(size, Image.Resampling.BOX) if dpi != DPI else turned, dpi


def main():
    handbook, font_directory, out = (pathlib.Path(argument) for argument in sys.argv[1:4])
    pages = int(sys.argv[4]) if len(sys.argv) > 4 else 4
    fonts = {path.stem: path for path in font_directory.rglob("*.ttf")}
    (out / "text").mkdir(parents=True, exist_ok=True)
    for code, name in LANGUAGES.items():
        texts = paragraphs(handbook / name)
        for number in range(pages):
            picture, written = page(texts, fonts, number)
            (out / "text" / f"{code}-{number}.txt").write_text("\n".join(written) + "\n", "utf-8")
            for variant, changed, dpi in variants(picture, number):
                (out / variant).mkdir(exist_ok=True)
                changed.save(out / variant / f"{code}-{number}.png", dpi=(dpi, dpi))


if __name__ == "__main__":
    main()
