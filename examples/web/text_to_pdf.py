#!/usr/bin/env python3
"""Makes a small PDF out of a text: "# " begins a heading, "---" a new page, an empty line a paragraph.

For documents that are shipped as text and are to be shown as PDF. Uses the fonts that every reader of PDF has, so that the
file has no font of anybody in it; therefore it takes the letters of Western European languages only and refuses others.
"""

import sys
import textwrap

WIDTH, HEIGHT, MARGIN = 595, 842, 70  # points; A4
SIZES = {"heading": 16, "text": 11}
COLUMNS = 82  # letters of 11 points that fit between the margins


def lines_of(page):
    """The lines of a page, each with its kind."""
    for paragraph in page.strip().split("\n\n"):
        if paragraph.startswith("# "):
            yield "heading", paragraph[2:]
        else:
            for line in textwrap.wrap(" ".join(paragraph.split()), COLUMNS):
                yield "text", line
        yield "space", ""


def escaped(text):
    for letter in "\\()":
        text = text.replace(letter, "\\" + letter)
    return text.encode("cp1252")


def content_of(page):
    """The drawing commands of a page."""
    y = HEIGHT - MARGIN
    drawn = []
    for kind, line in lines_of(page):
        if kind == "space":
            y -= 9
            continue
        y -= SIZES[kind] + 4
        if y < MARGIN:
            raise ValueError("a page is too long: divide it by a line ---")
        font = b"/F2" if kind == "heading" else b"/F1"
        drawn.append(b"BT %s %d Tf %d %d Td (%s) Tj ET" % (font, SIZES[kind], MARGIN, y, escaped(line)))
    return b"\n".join(drawn)


def pdf_of(text):
    """The bytes of the PDF."""
    pages = text.split("\n---\n")
    title = text.strip().split("\n")[0].removeprefix("# ")
    fonts = b"<< /Type /Font /Subtype /Type1 /BaseFont /%s /Encoding /WinAnsiEncoding >>"
    kids = b" ".join(b"%d 0 R" % (6 + 2 * number) for number in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)),
        fonts % b"Helvetica",
        fonts % b"Helvetica-Bold",
        b"<< /Title (%s) >>" % escaped(title),
    ]
    for number, page in enumerate(pages):
        content = content_of(page)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %d %d] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R /F2 4 0 R >> >> >>" % (WIDTH, HEIGHT, 7 + 2 * number)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content))
    output, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(output))
        output += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(output)
    output += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    output += b"".join(b"%010d 00000 n \n" % place for place in places)
    output += b"trailer\n<< /Size %d /Root 1 0 R /Info 5 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table)
    return output


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: text_to_pdf.py TEXT PDF")
    with open(sys.argv[1], encoding="utf-8") as source:
        made = pdf_of(source.read())
    with open(sys.argv[2], "wb") as target:
        target.write(made)
