"""Makes the fixtures of this folder from handbook.txt, slides.txt and features.fodt with LibreOffice, and the book with
pandoc, since LibreOffice keeps no headings, lists and heads of tables in books (both must be on the PATH).

    python3 make.py            # writes handbook.*, columns.pdf, slides.*, workbook.*, features.* beside this file

The texts are flat markdown, so that the tests can read what a document must say from the same files.
"""

import pathlib
import re
import subprocess
import sys
import tempfile
from xml.sax.saxutils import escape

HERE = pathlib.Path(__file__).parent
NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{uri}:1.0"'
    for name, uri in {
        "office": "office", "text": "text", "table": "table", "style": "style", "draw": "drawing",
        "fo": "xsl-fo-compatible", "svg": "svg-compatible", "meta": "meta", "number": "datastyle",
        "presentation": "presentation",
    }.items()
) + ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2"'
META = (
    "<office:meta><dc:title>{title}</dc:title><meta:initial-creator>Marta Hafen</meta:initial-creator>"
    "<dc:creator>Marta Hafen</dc:creator><meta:creation-date>2024-03-05T09:30:00</meta:creation-date>"
    "<dc:date>2024-06-07T18:45:00</dc:date><dc:language>en-GB</dc:language></office:meta>"
)
LANGUAGES = {"Handbook": ("en", "GB"), "Manuel": ("fr", "FR"), "Handbuch": ("de", "DE"), "Podręcznik": ("pl", "PL")}


def document(kind, title, styles, automatic, master, body):
    mimetype = f"application/vnd.oasis.opendocument.{kind}"
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {NAMESPACES} office:version="1.3" '
        f'office:mimetype="{mimetype}">{META.format(title=escape(title))}<office:styles>{styles}</office:styles>'
        f"<office:automatic-styles>{automatic}</office:automatic-styles><office:master-styles>{master}</office:master-styles>"
        f"<office:body>{body}</office:body></office:document>"
    )


def list_style(name, numbered):
    levels = ""
    for level in range(1, 4):
        indent = (
            '<style:list-level-properties text:list-level-position-and-space-mode="label-alignment">'
            f'<style:list-level-label-alignment text:label-followed-by="listtab" fo:text-indent="-0.6cm" '
            f'fo:margin-left="{0.6 * level:.1f}cm"/></style:list-level-properties>'
        )
        if numbered:
            levels += f'<text:list-level-style-number text:level="{level}" style:num-format="1" style:num-suffix=".">{indent}</text:list-level-style-number>'
        else:
            levels += f'<text:list-level-style-bullet text:level="{level}" text:bullet-char="•">{indent}</text:list-level-style-bullet>'
    return f'<text:list-style style:name="{name}">{levels}</text:list-style>'


class Handbook:
    """The handbook as flat ODT."""

    def __init__(self, text, columns):
        blocks = [block.split("\n") for block in re.split(r"\n\n(?! )", text.strip())]
        self.notes = {m[1]: m[2] for block in blocks if (m := re.match(r"\[\^(\d+)\]: (.*)", block[0]))}
        self.language = "en"
        self.columns = columns
        self.body = "".join(self.block(block) for block in blocks if not block[0].startswith("[^"))

    def inline(self, text):
        def note(m):
            return (
                f'<text:note text:note-class="footnote"><text:note-citation>{m[1]}</text:note-citation><text:note-body>'
                f'<text:p text:style-name="Footnote">{escape(self.notes[m[1]])}</text:p></text:note-body></text:note>'
            )
        return re.sub(r"\[\^(\d+)\]", note, escape(text))

    def block(self, lines):
        if m := re.match(r"(#+) (.*)", lines[0]):
            self.language = LANGUAGES.get(m[2].split()[0], (self.language, ""))[0] if len(m[1]) == 1 else self.language
            level = len(m[1])
            return f'<text:h text:style-name="Heading_20_{level}" text:outline-level="{level}">{escape(m[2])}</text:h>'
        if lines[0].startswith("```"):
            code = "<text:line-break/>".join(
                re.sub("^ +", lambda m: f'<text:s text:c="{len(m[0])}"/>', escape(line)) for line in lines[1:-1]
            )
            return f'<text:p text:style-name="Preformatted_20_Text">{code}</text:p>'
        if lines[0].startswith("|"):
            return self.table([[cell.strip() for cell in line.strip("|").split("|")] for line in lines])
        if re.match(r"- |\d+\. ", lines[0]):
            return self.list(lines, 0)
        return f'<text:p text:style-name="P{self.language}">{self.inline(" ".join(lines))}</text:p>'

    def table(self, rows):
        cell = lambda text: f'<table:table-cell office:value-type="string" table:style-name="Cell"><text:p text:style-name="{"Small" if self.columns > 1 else "P" + self.language}">{escape(text)}</text:p></table:table-cell>'
        written = [f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows]
        columns = f'<table:table-column table:number-columns-repeated="{len(rows[0])}"/>'
        return f"<table:table>{columns}<table:table-header-rows>{written[0]}</table:table-header-rows>{''.join(written[1:])}</table:table><text:p/>"

    def list(self, lines, depth):
        items, at = [], 0
        numbered = re.match(r" *\d", lines[0]) is not None
        while at < len(lines):
            end = at + 1
            while end < len(lines) and len(lines[end]) - len(lines[end].lstrip()) > 2 * depth:
                end += 1
            text = re.sub(r"^ *(-|\d+\.) ", "", lines[at])
            below = self.list(lines[at + 1:end], depth + 1) if end > at + 1 else ""
            items.append(f'<text:list-item><text:p text:style-name="P{self.language}">{escape(text)}</text:p>{below}</text:list-item>')
            at = end
        return f'<text:list text:style-name="{"Numbers" if numbered else "Bullets"}">{"".join(items)}</text:list>'

    def odt(self):
        font = "fo:font-family=\"'Linux Libertine O', 'Liberation Serif'\""
        styles = f'<style:default-style style:family="paragraph"><style:text-properties {font} fo:font-size="11pt" fo:language="en" fo:country="GB"/></style:default-style>'
        styles += '<style:style style:name="Standard" style:family="paragraph" style:class="text"/>'
        for level, size in ((1, 20), (2, 15), (3, 12)):
            page = ' fo:break-before="page"' if level == 1 and self.columns == 1 else ""
            styles += (
                f'<style:style style:name="Heading_20_{level}" style:display-name="Heading {level}" style:family="paragraph" '
                f'style:parent-style-name="Standard" style:next-style-name="Standard" style:default-outline-level="{level}" style:class="text">'
                f'<style:paragraph-properties fo:margin-top="0.5cm" fo:margin-bottom="0.2cm" fo:keep-with-next="always"{page}/>'
                f'<style:text-properties fo:font-size="{size}pt" fo:font-weight="bold"/></style:style>'
            )
        styles += '<style:style style:name="Preformatted_20_Text" style:display-name="Preformatted Text" style:family="paragraph" style:parent-style-name="Standard" style:class="html"><style:text-properties fo:font-family="\'Liberation Mono\'" fo:font-size="9pt"/></style:style>'
        styles += '<style:style style:name="Footnote" style:family="paragraph" style:parent-style-name="Standard" style:class="extra"><style:text-properties fo:font-size="9pt"/></style:style>'
        automatic = list_style("Bullets", False) + list_style("Numbers", True)
        for language, country in LANGUAGES.values():
            automatic += (
                f'<style:style style:name="P{language}" style:family="paragraph" style:parent-style-name="Standard">'
                f'<style:paragraph-properties fo:margin-bottom="0.2cm" fo:text-align="justify"/>'
                f'<style:text-properties fo:language="{language}" fo:country="{country}" fo:hyphenate="{"true" if self.columns > 1 else "false"}" '
                f'fo:hyphenation-remain-char-count="2" fo:hyphenation-push-char-count="2"/></style:style>'
            )
        automatic += '<style:style style:name="Small" style:family="paragraph" style:parent-style-name="Standard"><style:text-properties fo:font-size="7.5pt"/></style:style>'
        automatic += '<style:style style:name="Cell" style:family="table-cell"><style:table-cell-properties fo:border="0.5pt solid #000000" fo:padding="0.1cm"/></style:style>'
        columns = f'<style:columns fo:column-count="{self.columns}" fo:column-gap="0.8cm"/>' if self.columns > 1 else ""
        automatic += (
            f'<style:page-layout style:name="Page"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm" fo:margin="2.5cm">{columns}</style:page-layout-properties>'
            '<style:header-style><style:header-footer-properties fo:min-height="0.8cm"/></style:header-style>'
            '<style:footer-style><style:header-footer-properties fo:min-height="0.8cm"/></style:footer-style></style:page-layout>'
        )
        master = (
            '<style:master-page style:name="Standard" style:page-layout-name="Page"><style:header><text:p>Harbour Archive, internal rules</text:p></style:header>'
            '<style:footer><text:p>Page <text:page-number text:select-page="current">1</text:page-number></text:p></style:footer></style:master-page>'
        )
        return document("text", "Handbook of the Harbour Archive", styles, automatic, master, f"<office:text>{self.body}</office:text>")


def slides(text):
    """The slides as flat ODP: a title, then bullets or a table, then notes."""
    pages = ""
    for number, part in enumerate(re.split(r"\n\n", text.strip()), 1):
        title, *lines = part.split("\n")
        notes = " ".join(line[2:] for line in lines if line.startswith("> "))
        lines = [line for line in lines if not line.startswith("> ")]
        frame = lambda cls, y, height, inner: (
            f'<draw:frame presentation:class="{cls}" presentation:style-name="P{cls}" svg:x="2cm" svg:y="{y}cm" svg:width="24cm" svg:height="{height}cm">{inner}</draw:frame>'
        )
        page = frame("title", 1, 3, f"<draw:text-box><text:p>{escape(title[2:])}</text:p></draw:text-box>")
        if lines[0].startswith("|"):
            rows = "".join(
                "<table:table-row>" + "".join(f"<table:table-cell><text:p>{escape(cell.strip())}</text:p></table:table-cell>" for cell in line.strip("|").split("|")) + "</table:table-row>"
                for line in lines
            )
            columns = '<table:table-column table:number-columns-repeated="3"/>'
            page += f'<draw:frame svg:x="2cm" svg:y="5cm" svg:width="24cm" svg:height="8cm"><table:table table:use-first-row-styles="true">{columns}{rows}</table:table></draw:frame>'
        elif lines[0].startswith("-"):
            inner = Handbook("x", 1).list(lines, 0).replace("Pen", "Standard")
            page += frame("outline", 5, 12, f"<draw:text-box>{inner}</draw:text-box>")
        else:
            page += frame("subtitle", 5, 3, f"<draw:text-box><text:p>{escape(' '.join(lines))}</text:p></draw:text-box>")
        if notes:
            notes = frame("notes", 14, 10, f"<draw:text-box><text:p>{escape(notes)}</text:p></draw:text-box>")
            page += f"<presentation:notes>{notes}</presentation:notes>"
        pages += f'<draw:page draw:name="page{number}" draw:master-page-name="Default">{page}</draw:page>'
    automatic = list_style("Bullets", False)
    for cls in ("title", "subtitle", "outline", "notes"):
        automatic += f'<style:style style:name="P{cls}" style:family="presentation" style:parent-style-name="Default-{"outline1" if cls == "outline" else cls}"/>'
    automatic += '<style:page-layout style:name="Screen"><style:page-layout-properties fo:page-width="28cm" fo:page-height="21cm"/></style:page-layout>'
    master = '<style:master-page style:name="Default" style:page-layout-name="Screen"/>'
    styles = "".join(f'<style:style style:name="Default-{cls}" style:family="presentation"/>' for cls in ("title", "subtitle", "outline1", "notes"))
    return document("presentation", "The harbour archive", styles, automatic, master, f"<office:presentation>{pages}</office:presentation>")


def workbook():
    """A workbook with every kind of cell as flat ODS; what it shows is written out in the tests."""
    date = lambda name, parts: f'<number:date-style style:name="{name}">{parts}</number:date-style>'
    day, month, year = ('<number:day number:style="long"/>', '<number:month number:style="long"/>', '<number:year number:style="long"/>')
    time = '<number:hours number:style="long"/><number:text>:</number:text><number:minutes number:style="long"/>'
    styles = date("NDate", f"{day}<number:text>.</number:text>{month}<number:text>.</number:text>{year}")
    styles += date("NMoment", f"{day}<number:text>.</number:text>{month}<number:text>.</number:text>{year}<number:text> </number:text>{time}")
    styles += f'<number:time-style style:name="NTime">{time}</number:time-style>'
    styles += '<number:percentage-style style:name="NPercent"><number:number number:decimal-places="1" number:min-integer-digits="1"/><number:text>%</number:text></number:percentage-style>'
    styles += '<number:currency-style style:name="NEuro"><number:number number:decimal-places="2" number:min-integer-digits="1" number:grouping="true"/><number:text> </number:text><number:currency-symbol>€</number:currency-symbol></number:currency-style>'
    styles += '<number:number-style style:name="NTwo"><number:number number:decimal-places="2" number:min-integer-digits="1"/></number:number-style>'
    styles += '<number:boolean-style style:name="NTruth"><number:boolean/></number:boolean-style>'
    for name in ("Date", "Moment", "Time", "Percent", "Euro", "Two", "Truth"):
        styles += f'<style:style style:name="C{name}" style:family="table-cell" style:data-style-name="N{name}"/>'
    styles += '<style:style style:name="Hidden" style:family="table"><style:table-properties table:display="false"/></style:style>'
    text = lambda value, more="": f'<table:table-cell office:value-type="string"{more}><text:p>{escape(value)}</text:p></table:table-cell>'
    number = lambda value, more="": f'<table:table-cell office:value-type="float" office:value="{value}"{more}/>'
    styled = lambda kind, value, style, more="": f'<table:table-cell office:value-type="{kind}" office:{"value" if kind in ("percentage", "currency", "float") else kind + "-value"}="{value}" table:style-name="C{style}"{more}/>'
    row = lambda *cells: f"<table:table-row>{''.join(cells)}</table:table-row>"
    loans = row(*map(text, ("Borrower", "Since", "Returned at", "Boxes", "Fee", "Share", "Open")))
    for name, since, moment, boxes, fee, share, flag in (
        ("Małgorzata Wiśniewska", "2024-03-05", "2024-04-01T16:30:00", 3, 1250.5, 0.125, "true"),
        ("Jürgen Größe", "1999-12-31", "2000-01-01T00:15:00", 12, 8, 0.5, "false"),
        ("Zoë L’Œuvre", "2023-02-28", "2023-03-01T09:05:00", 2.75, 0.2, 0.375, "true"),
    ):
        loans += row(
            text(name), styled("date", since, "Date"), styled("date", moment, "Moment"), number(boxes), styled("currency", fee, "Euro", ' office:currency="EUR"'),
            styled("percentage", share, "Percent"), f'<table:table-cell office:value-type="boolean" office:boolean-value="{flag}" table:style-name="CTruth"/>',
        )
    loans += row(text("Total"), "<table:table-cell/>", "<table:table-cell/>", number(17.75, ' table:formula="of:=SUM([.D2:.D4])"'), styled("currency", 1258.7, "Euro", ' office:currency="EUR" table:formula="of:=SUM([.E2:.E4])"'))
    hours = row(text("Opening hours", ' table:number-columns-spanned="3"'), '<table:covered-table-cell table:number-columns-repeated="2"/>')
    hours += row(*map(text, ("Day", "From", "To")))
    hours += row(text("Monday"), styled("time", "PT09H00M00S", "Time"), styled("time", "PT17H30M00S", "Time"))
    hours += '<table:table-row table:number-rows-repeated="3"><table:table-cell table:number-columns-repeated="3"/></table:table-row>'
    hours += row(text("Temperature | limit"), number(18.5), styled("float", 0.30000000000000004, "Two"))
    hidden = row(text("Combination"), number(123456789012)) + row(text("Code"), text("00420")) + row(text("Tiny"), number(0.1 + 0.2))
    tables = f'<table:table table:name="Loans">{loans}</table:table><table:table table:name="Öffnungszeiten">{hours}</table:table><table:table table:name="Safe" table:style-name="Hidden">{hidden}</table:table>'
    return document("spreadsheet", "Loans of the archive", "", styles, "", f"<office:spreadsheet>{tables}</office:spreadsheet>")


def convert(folder, source, *targets):
    """Converts with LibreOffice; a target is an extension or "extension:filter"."""
    for target in targets:
        command = ["soffice", "--headless", f"-env:UserInstallation=file://{folder}/profile", "--convert-to", target, "--outdir", HERE, source]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def book(text):
    """Writes the handbook as EPUB, from what pandoc takes for markdown."""
    text = re.sub(r"^( +)(?=- |\d+\. )", r"\1\1", text, flags=re.M)
    text = re.sub(r"(?<!\|\n)^(\|.*)$", lambda m: m[1] + "\n" + "|---" * (m[1].count("|") - 1) + "|", text, flags=re.M)
    metadata = ["title=Handbook of the Harbour Archive", "author=Marta Hafen", "lang=en-GB", "date=2024-03-05"]
    command = ["pandoc", "-f", "markdown", "-o", HERE / "handbook.epub"]
    subprocess.run([*command, *(f"--metadata={value}" for value in metadata)], input=text.encode(), check=True)


def main():
    handbook = (HERE / "handbook.txt").read_text()
    with tempfile.TemporaryDirectory() as folder:
        sources = {
            "handbook.fodt": Handbook(handbook, 1).odt(), "columns.fodt": Handbook(handbook, 2).odt(),
            "slides.fodp": slides((HERE / "slides.txt").read_text()), "workbook.fods": workbook(),
        }
        for name, text in sources.items():
            (pathlib.Path(folder) / name).write_text(text)
        convert(folder, f"{folder}/handbook.fodt", "docx", "odt", "rtf", "pdf")
        book(handbook)
        convert(folder, f"{folder}/columns.fodt", "pdf")
        convert(folder, f"{folder}/slides.fodp", "pptx", "odp", "pdf")
        convert(folder, f"{folder}/workbook.fods", "xlsx", "ods", "xls", "csv:Text - txt - csv (StarCalc):44,34,76,1")
        convert(folder, HERE / "features.fodt", "docx", "odt", "rtf")


if __name__ == "__main__":
    sys.exit(main())
