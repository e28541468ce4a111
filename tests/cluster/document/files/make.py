"""Draws the scans that tests recognise at 200 dots an inch: two pages as a PNG, a TIFF of fax pages and a PDF; a form.

Run with Pillow 13 and the fonts of Debian's fonts-dejavu-core: python3 make.py
"""

from PIL import Image, ImageDraw, ImageFont

FONT = "/usr/share/fonts/truetype/dejavu/DejaVuSerif.ttf"
DPI = 200
PAGES = [
    (
        "Harbour Regulations",
        [
            "Ships that are longer than forty metres take a pilot on board before",
            "they enter the harbour. The pilot is ordered by radio on channel 12,",
            "six hours ahead. Between November and March, the northern entrance",
            "is closed at night.",
            "",
            "The fee for a berth is due on arrival. A receipt is given by the",
            "harbour master, whose office is open from 8:00 to 16:30.",
        ],
        [["Length", "Fee per day", "Deposit"], ["up to 15 m", "24.50", "100.00"], ["up to 40 m", "61.00", "250.00"]],
    ),
    (
        "Règlement du port",
        [
            "Les navires de plus de quarante mètres prennent un pilote, et",
            "restent devant le port. La clôture de l’entrée nord dure de",
            "novembre à mars, et chaque nuit jusqu’à l’aube.",
        ],
        [],
    ),
]


def page(title, lines, table):
    picture = Image.new("L", (1240, 1000), 255)
    draw = ImageDraw.Draw(picture)
    draw.text((120, 100), title, 0, ImageFont.truetype(FONT, 50))
    font = ImageFont.truetype(FONT, 30)
    y = 210
    for line in lines:
        draw.text((120, y), line, 0, font)
        y += 46
    y += 40
    if table:
        for row in range(len(table) + 1):
            draw.line((120, y + 60 * row, 1020, y + 60 * row), 0, 3)
        for column in range(4):
            draw.line((120 + 300 * column, y, 120 + 300 * column, y + 60 * len(table)), 0, 3)
    for number, row in enumerate(table):
        for column, cell in enumerate(row):
            draw.text((140 + 300 * column, y + 12 + 60 * number), cell, 0, font)
    return picture.point(lambda grey: 255 if grey > 140 else 0).convert("1")


def form(title, fields):
    """Labels, and values in frames beside them."""
    picture = Image.new("L", (1240, 160 + 90 * len(fields)), 255)
    draw = ImageDraw.Draw(picture)
    draw.text((120, 50), title, 0, ImageFont.truetype(FONT, 46))
    font = ImageFont.truetype(FONT, 30)
    for number, (label, value) in enumerate(fields):
        y = 150 + 90 * number
        draw.text((120, y), label, 0, font)
        draw.rectangle((520, y - 8, 1100, y + 50), outline=0, width=2)
        draw.text((540, y), value, 0, font)
    return picture.point(lambda grey: 255 if grey > 140 else 0).convert("1")


fields = [("Name of the ship:", "Seagull"), ("Length in metres:", "38.5"), ("Home port:", "Bergen"), ("Arrival:", "12 May")]
form("Application for a berth", fields).save("form.png", dpi=(DPI, DPI), optimize=True)
pages = [page(*contents) for contents in PAGES]
pages[0].save("harbour.png", dpi=(DPI, DPI), optimize=True)
pages[0].save("harbour.tif", save_all=True, append_images=pages[1:], compression="group4", dpi=(DPI, DPI))
pages[0].save("harbour.pdf", save_all=True, append_images=pages[1:], resolution=DPI)
