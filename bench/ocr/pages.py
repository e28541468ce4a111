"""Pages made from known text, as pictures: what `SOCLE_BENCH=ocr make bench` has read.

usage: pages.py HANDBOOK OUT

HANDBOOK is the directory of the Debian handbook with a directory for each language. LibreOffice lays the pages out, poppler makes
pictures of them. In each of seven languages there are five pages: prose with headings; two columns; tables with and without rules;
a form; prose with a stamp over it. Writes OUT/VARIANT/LANGUAGE-KIND.png and OUT/text/LANGUAGE-KIND.json. Variants are 300, 200 and
150 dots an inch: clean, noisy (soft, grey, with grain and spots, as a JPEG) and turned by 2 degrees. `clean-300` has all pages, the
others two in each language, so that each kind is in each variant. OUT/thousand.pdf has 1,000 small pieces of them. Nothing is random:
a run repeats another.
"""

import collections
import html
import io
import itertools
import json
import pathlib
import re
import subprocess
import sys
import tempfile
from xml.sax.saxutils import escape

import numpy
from PIL import Image, ImageDraw, ImageFilter, ImageFont

LANGUAGES = {"en": "en-US", "fr": "fr-FR", "de": "de-DE", "es": "es-ES", "it": "it-IT", "pl": "pl-PL", "cs": "cs-CZ"}
KINDS = ["prose", "columns", "tables", "form", "stamp"]
# Family and size in points of each kind.
FONTS = {
    "prose": ("Liberation Serif", 11),
    "columns": ("Liberation Sans", 9),
    "tables": ("DejaVu Sans", 9),
    "form": ("Liberation Sans", 10),
    "stamp": ("DejaVu Serif", 10),
}
FORMS = {
    "en": ("Application for membership", "Last name", "First name", "Date of birth", "Street, number", "Post code, town", "Telephone",
           "Bank account (IBAN)", "I agree to the rules.", "I would like a receipt.", "Place, date", "Signature"),
    "fr": ("Demande d’adhésion", "Nom", "Prénom", "Date de naissance", "Rue, numéro", "Code postal, localité", "Téléphone",
           "Compte bancaire (IBAN)", "J’accepte le règlement.", "Je souhaite recevoir un reçu.", "Lieu, date", "Signature"),
    "de": ("Antrag auf Mitgliedschaft", "Name", "Vorname", "Geburtsdatum", "Straße, Hausnummer", "Postleitzahl, Ort", "Telefon",
           "Bankverbindung (IBAN)", "Ich stimme der Satzung zu.", "Ich möchte eine Quittung.", "Ort, Datum", "Unterschrift"),
    "es": ("Solicitud de afiliación", "Apellidos", "Nombre", "Fecha de nacimiento", "Calle, número", "Código postal, población",
           "Teléfono", "Cuenta bancaria (IBAN)", "Acepto el reglamento.", "Deseo recibir un recibo.", "Lugar, fecha", "Firma"),
    "it": ("Domanda di iscrizione", "Cognome", "Nome", "Data di nascita", "Via, numero civico", "CAP, località", "Telefono",
           "Conto corrente (IBAN)", "Accetto il regolamento.", "Desidero una ricevuta.", "Luogo e data", "Firma"),
    "pl": ("Wniosek o członkostwo", "Nazwisko", "Imię", "Data urodzenia", "Ulica, numer domu", "Kod pocztowy, miejscowość", "Telefon",
           "Rachunek bankowy (IBAN)", "Akceptuję regulamin.", "Proszę o potwierdzenie wpłaty.", "Miejscowość, data", "Podpis"),
    "cs": ("Žádost o členství", "Příjmení", "Jméno", "Datum narození", "Ulice, číslo popisné", "PSČ, obec", "Telefon",
           "Bankovní účet (IBAN)", "Souhlasím se stanovami.", "Žádám o potvrzení platby.", "Místo, datum", "Podpis"),
}
NAMES = {
    "en": ("Whitfield", "Margaret Anne", "14 Abbey Road", "LS2 9JT Leeds", "0113 496 0182", "GB29 NWBK 6016 1331 9268 19"),
    "fr": ("Lefèvre", "Agnès Noëlle", "27, rue de l’Église", "35400 Saint-Malo", "02 99 40 18 37", "FR76 3000 6000 0112 3456 7890 189"),
    "de": ("Großmüller", "Jörg Häußler", "Königsstraße 128 b", "73033 Göppingen", "07161 650 2417", "DE89 3704 0044 0532 0130 00"),
    "es": ("Núñez Ibáñez", "María Begoña", "Calle Peñalver, 61, 3.º", "28006 Madrid", "914 27 38 05", "ES91 2100 0418 4502 0005 1332"),
    "it": ("D’Agostino", "Niccolò", "Via Libertà, 45/A", "90143 Palermo", "091 733 1846", "IT60 X054 2811 1010 0000 0123 456"),
    "pl": ("Święcicka-Żółć", "Małgorzata", "ul. Źródlana 17/4", "31-513 Kraków", "12 618 47 30", "PL61 1090 1014 0000 0712 1981 2874"),
    "cs": ("Dvořáčková", "Růžena", "Na Příkopě 1047/17", "110 00 Praha 1", "224 238 951", "CZ65 0800 0000 1920 0014 5399"),
}
STAMPS = {"en": "RECEIVED", "fr": "REÇU LE", "de": "EINGEGANGEN", "es": "RECIBIDO", "it": "RICEVUTO", "pl": "WPŁYNĘŁO", "cs": "DOŠLO"}

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" office:mimetype="application/vnd.oasis.opendocument.text"
 xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"
 xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" office:version="1.2">
<office:styles><style:default-style style:family="paragraph"><style:text-properties style:font-name="{family}" fo:font-family="{family}"
 fo:font-size="{size}pt"/></style:default-style>
<style:style style:name="P" style:family="paragraph"><style:paragraph-properties fo:margin-bottom="0.2cm"/></style:style>
<style:style style:name="H" style:family="paragraph"><style:paragraph-properties fo:margin-top="0.3cm" fo:margin-bottom="0.2cm"/>
<style:text-properties fo:font-size="{heading}pt" fo:font-weight="bold"/></style:style></office:styles>
<office:automatic-styles><style:page-layout style:name="L"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm"
 fo:margin-top="2.2cm" fo:margin-bottom="2.2cm" fo:margin-left="2.3cm" fo:margin-right="2.3cm"/></style:page-layout>
<style:style style:name="S" style:family="section"><style:section-properties><style:columns fo:column-count="2" fo:column-gap="0.8cm"/>
</style:section-properties></style:style>
<style:style style:name="ruled" style:family="table-cell"><style:table-cell-properties fo:border="0.5pt solid #000000" fo:padding="0.1cm"/>
</style:style><style:style style:name="plain" style:family="table-cell"><style:table-cell-properties fo:padding="0.1cm"/></style:style>
<style:style style:name="line" style:family="table-cell"><style:table-cell-properties fo:border-bottom="0.5pt solid #000000"
 fo:padding="0.15cm"/></style:style></office:automatic-styles>
<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="L"/></office:master-styles>
<office:body><office:text>"""
TAIL = "</office:text></office:body></office:document>"


def plain(text):
    text = " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())
    # Soft hyphens and spaces of no width leave no ink.
    return re.sub("[\u00ad\u200b\ufeff]", "", text).replace("\u00a0", " ").replace("\u202f", " ")


def texts(handbook, name):
    """Headings with the paragraphs that follow them, without what is not translated."""

    def read(directory):
        for path in sorted(directory.glob("*.html")):
            found = re.findall(r'<h[2-4] class="title">(.*?)</h|<div class="para">(.*?)</div>', path.read_text("utf-8"), re.S)
            for heading, paragraph in found:
                yield bool(heading), plain(heading or paragraph)

    def parts(text, length):
        words = text.split()
        return {tuple(words[at : at + length]) for at in range(len(words) - length + 1)}

    english = {part for _, text in read(handbook / "en-US") for part in parts(text, 5)} if name != "en-US" else set()
    headings, paragraphs = [], []
    for is_heading, text in read(handbook / name):
        if parts(text, 5) & english:
            continue
        if is_heading and 8 < len(text) < 60:
            headings.append(text)
        elif not is_heading and 120 <= len(text) <= 900:
            paragraphs.append(text)
    return headings, paragraphs


def paragraph(text, style="P"):
    return f'<text:p text:style-name="{style}">{escape(text)}</text:p>'


def table(rows, style):
    columns = "<table:table-column/>" * len(rows[0])
    cell = '<table:table-cell table:style-name="{}" office:value-type="string">{}</table:table-cell>'
    body = "".join(
        "<table:table-row>" + "".join(cell.format(style, paragraph(text, "Standard")) for text in row) + "</table:table-row>" for row in rows
    )
    return f"<table:table>{columns}{body}</table:table>"


def table_rows(headings, seed):
    """Names, numbers, dates and amounts."""
    for row in range(9):
        number = seed * 917 + row * 7331
        words = [word for word in headings[row].split() if word.isalpha()] or ["Debian"]
        amount = f"{number % 9000 + 100:,}".replace(",", " ") + f",{number % 100:02}"
        yield [" ".join(words[:2])[:22], f"{number % 100000:05}", f"{number % 28 + 1:02}.{number % 12 + 1:02}.20{number % 30:02}", amount]


def document(kind, language, headings, paragraphs):
    """The document, and its cells: texts that do not break."""
    family, size = FONTS[kind]
    cells, body = [], []
    if kind in ("prose", "stamp", "columns"):
        for at, text in enumerate(paragraphs[:24]):
            if at % 3 == 0:
                body.append(paragraph(headings[at // 3], "H"))
            body.append(paragraph(text))
        if kind == "columns":
            body = [paragraph(headings[-1], "H"), '<text:section text:style-name="S" text:name="s">', *body, "</text:section>"]
    elif kind == "tables":
        for at, style in enumerate(("ruled", "plain")):
            rows = list(table_rows(headings[at * 9 :], at + 3))
            cells += itertools.chain.from_iterable(rows)
            body += [paragraph(headings[-1 - at], "H"), paragraph(paragraphs[at]), table(rows, style)]
        body.append(paragraph(paragraphs[3]))
    else:
        title, *labels, agree, receipt, place, signature = FORMS[language]
        last, first, street, town, telephone, account = NAMES[language]
        values = [last, first, "17.09.1968", street, town, telephone, account]
        rows = list(zip(labels, values, strict=True))
        ends = [[f"{town.split()[-1]}, 03.11.2025", " "], [place, signature]]
        cells += [*itertools.chain.from_iterable(rows), ends[0][0], *ends[1]]
        body = [paragraph(title, "H"), paragraph(paragraphs[4]), table(rows, "line"), paragraph(paragraphs[5])]
        body += [paragraph(f"☒ {agree}"), paragraph(f"☐ {receipt}"), table(ends, "plain")]
    return HEAD.format(family=family, size=size, heading=round(size * 1.5)) + "".join(body) + TAIL, cells


def known(pdf, cells):
    """The lines of the first page in the order of the document; the cells of tables one by one."""
    raw = subprocess.run(["pdftotext", "-f", "1", "-l", "1", "-raw", pdf, "-"], capture_output=True, check=True, text=True).stdout
    cells = collections.Counter(cells)
    for line in raw.replace("\f", "").splitlines():
        # Boxes to be ticked are drawn, and no text.
        words = line.replace("☒", "").replace("☐", "").split()
        while words:
            # The longest beginning that is a cell; without one, the line is no row.
            ends = [end for end in range(len(words), 0, -1) if cells[" ".join(words[:end])] > 0]
            end = ends[0] if ends else len(words)
            cells[" ".join(words[:end])] -= 1
            yield " ".join(words[:end])
            words = words[end:]


def picture(pdf, dpi):
    done = subprocess.run(["pdftoppm", "-r", str(dpi), "-f", "1", "-l", "1", pdf], capture_output=True, check=True)
    return Image.open(io.BytesIO(done.stdout)).convert("RGB")


def stamped(page, text):
    """The page with a stamp in red over its text."""
    dpi = page.height / 11.69
    stamp = Image.new("RGBA", (int(2.9 * dpi), int(1.1 * dpi)), (200, 20, 30, 0))
    draw = ImageDraw.Draw(stamp)
    line = round(dpi / 25)
    draw.rectangle((line, line, stamp.width - line, stamp.height - line), outline=(200, 20, 30, 120), width=line)
    for row, (words, points) in enumerate(((text, 26), ("17.11.2025", 20))):
        font = ImageFont.truetype("LiberationSans-Bold.ttf", round(points * dpi / 72))
        draw.text((stamp.width / 2, (0.36 + row * 0.42) * dpi), words, font=font, fill=(200, 20, 30, 120), anchor="mm")
    stamp = stamp.rotate(11, Image.Resampling.BICUBIC, expand=True)
    page = page.copy()
    page.paste(stamp, (round(4.2 * dpi), round(4.6 * dpi)), stamp)
    return page


def noisy(page, seed):
    """As a poor copy: soft, grey, with grain and spots, as a JPEG."""
    soft = page.convert("L").filter(ImageFilter.GaussianBlur(page.height / 3500))
    grain = numpy.random.default_rng(seed)
    values = numpy.asarray(soft, dtype=float)
    values = 55 + values * (215 - 55) / 255 + grain.normal(0, 14, values.shape)
    values[grain.random(values.shape) < 0.0006] = 70
    coded = io.BytesIO()
    Image.fromarray(values.clip(0, 255).astype("uint8")).save(coded, "JPEG", quality=60)
    return Image.open(coded)


def variants(pdf, stamp, at, seed):
    """The page as each variant has it that has this page."""
    number = 0
    for dpi in (300, 200, 150):
        page = picture(pdf, dpi)
        page = stamped(page, stamp) if stamp else page
        for name in ("clean", "noisy", "turned"):
            kinds = {(seed + number) % len(KINDS), (seed + number + 2) % len(KINDS)}
            number += 1
            if f"{name}-{dpi}" != "clean-300" and at not in kinds:
                continue
            if name == "noisy":
                yield f"{name}-{dpi}", noisy(page, seed), dpi
            elif name == "turned":
                yield f"{name}-{dpi}", page.rotate(-2, Image.Resampling.BICUBIC, fillcolor="white"), dpi
            else:
                yield f"{name}-{dpi}", page, dpi


def pieces(directory):
    """A thousand pieces of a few lines, at 150 dots an inch."""
    for shift in itertools.count():
        for path in sorted(directory.glob("*.png")):
            page = Image.open(path).convert("L").reduce(2)
            for at in range(6):
                left, top = page.width // 12 + 7 * shift, page.height // 10 + page.height * at // 8
                yield page.crop((left, top, left + 620, top + 160))


def main():
    handbook, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    (out / "text").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        work = pathlib.Path(directory)
        cells = {}
        for code, name in LANGUAGES.items():
            headings, paragraphs = texts(handbook, name)
            for at, kind in enumerate(KINDS):
                content, cells[f"{code}-{kind}"] = document(kind, code, headings[at * 9 :], paragraphs[at * 24 :])
                (work / f"{code}-{kind}.fodt").write_text(content, "utf-8")
        command = ["soffice", f"-env:UserInstallation=file://{work}/profile", "--headless", "--convert-to", "pdf", "--outdir", work]
        subprocess.run([*command, *sorted(work.glob("*.fodt"))], check=True, stdout=subprocess.DEVNULL)
        for seed, code in enumerate(LANGUAGES):
            for at, kind in enumerate(KINDS):
                name = f"{code}-{kind}"
                pdf = work / f"{name}.pdf"
                stamp = STAMPS[code] if kind == "stamp" else None
                lines = list(known(pdf, cells[name]))
                beside = [stamp, "17.11.2025"] if stamp else []
                (out / "text" / f"{name}.json").write_text(json.dumps({"lines": lines, "beside": beside}, ensure_ascii=False), "utf-8")
                for variant, page, dpi in variants(pdf, stamp, at, seed):
                    (out / variant).mkdir(exist_ok=True)
                    page.save(out / variant / f"{name}.png", dpi=(dpi, dpi))
    first, *others = itertools.islice(pieces(out / "clean-300"), 1000)
    first.save(out / "thousand.pdf", save_all=True, append_images=others, resolution=150)


if __name__ == "__main__":
    main()
