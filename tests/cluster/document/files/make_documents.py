"""Makes documents with the picture harbour.png between two paragraphs; all but the slides with LibreOffice (which must be on
the PATH):

    python3 make_documents.py       # writes picture.docx, picture.odt, picture.epub and picture.pptx beside this file
"""

import base64
import pathlib
import subprocess
import tempfile
import zipfile

HERE = pathlib.Path(__file__).parent
PICTURE = base64.b64encode((HERE / "harbour.png").read_bytes()).decode()
NAMESPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{uri}:1.0"'
    for name, uri in {
        "office": "office", "text": "text", "style": "style", "draw": "drawing", "fo": "xsl-fo-compatible",
        "svg": "svg-compatible",
    }.items()
)
BEFORE, AFTER = "Zum Aushang am Tor.", "Bitte am Kai bezahlen."


def flat(kind, body):
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><office:document {NAMESPACES} office:version="1.3" '
        f'office:mimetype="application/vnd.oasis.opendocument.{kind}">'
        f"<office:body><office:{kind}>{body}</office:{kind}></office:body></office:document>"
    )


def picture(place):
    return f"<draw:frame {place}><draw:image><office:binary-data>{PICTURE}</office:binary-data></draw:image></draw:frame>"


INLINE = picture('text:anchor-type="as-char" svg:width="15cm" svg:height="12cm"')
TEXT = flat(
    "text",
    f'<text:h text:outline-level="1">Fees</text:h><text:p>{BEFORE}</text:p>'
    f'<text:p>{INLINE}</text:p>'
    f'<text:p>{AFTER}</text:p><text:h text:outline-level="1">Wharf</text:h><text:p>Schluss.</text:p>',
)


# A slide has the least that PowerPoint files have. In the order of the file, the picture comes last.
OFFICE = "http://schemas.openxmlformats.org"
KIND = f"{OFFICE}/officeDocument/2006/relationships"
SCHEMAS = (
    f'xmlns:a="{OFFICE}/drawingml/2006/main" xmlns:p="{OFFICE}/presentationml/2006/main" xmlns:r="{KIND}"'
)


def place(top, height):
    return f'<a:xfrm><a:off x="720000" y="{top}"/><a:ext cx="7200000" cy="{height}"/></a:xfrm>'


def box(number, top, text):
    return (
        f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="Box {number}"/><p:cNvSpPr txBox="1"/><p:nvPr/></p:nvSpPr><p:spPr>'
        f"{place(top, 500000)}</p:spPr><p:txBody><a:bodyPr/><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
    )


def relations(*parts):
    entries = "".join(
        f'<Relationship Id="rId{number}" Type="{KIND}/{kind}" Target="{target}"/>' for number, (kind, target) in enumerate(parts, 1)
    )
    return f'<Relationships xmlns="{OFFICE}/package/2006/relationships">{entries}</Relationships>'


SHOWN = (
    '<p:pic><p:nvPicPr><p:cNvPr id="4" name="Picture"/><p:cNvPicPr/><p:nvPr/></p:nvPicPr><p:blipFill><a:blip r:embed="rId1"/>'
    f"</p:blipFill><p:spPr>{place(1440000, 4000000)}</p:spPr></p:pic>"
)
TREE = box(2, 360000, BEFORE) + box(3, 5800000, AFTER) + SHOWN
TYPES = "application/vnd.openxmlformats-officedocument.presentationml"
SLIDES = {
    "[Content_Types].xml": f'<Types xmlns="{OFFICE}/package/2006/content-types"><Default Extension="png" ContentType="image/png"/>'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/ppt/presentation.xml" ContentType="{TYPES}.presentation.main+xml"/>'
    f'<Override PartName="/ppt/slides/slide1.xml" ContentType="{TYPES}.slide+xml"/></Types>',
    "_rels/.rels": relations(("officeDocument", "ppt/presentation.xml")),
    "ppt/presentation.xml": f'<p:presentation {SCHEMAS}><p:sldIdLst><p:sldId id="256" r:id="rId1"/></p:sldIdLst>'
    '<p:sldSz cx="9144000" cy="6858000"/></p:presentation>',
    "ppt/_rels/presentation.xml.rels": relations(("slide", "slides/slide1.xml")),
    "ppt/slides/slide1.xml": f"<p:sld {SCHEMAS}><p:cSld><p:spTree>{TREE}</p:spTree></p:cSld></p:sld>",
    "ppt/slides/_rels/slide1.xml.rels": relations(("image", "../media/image1.png")),
    "ppt/media/image1.png": (HERE / "harbour.png").read_bytes(),
}
with zipfile.ZipFile(HERE / "picture.pptx", "w", zipfile.ZIP_DEFLATED) as slides:
    for name, content in SLIDES.items():
        slides.writestr(zipfile.ZipInfo(name, (2026, 11, 30, 0, 0, 0)), content, zipfile.ZIP_DEFLATED)

with tempfile.TemporaryDirectory() as work:
    path = pathlib.Path(work) / "picture.fodt"
    path.write_text(TEXT)
    for form in ["docx", "odt", "epub"]:
        command = ["soffice", f"-env:UserInstallation=file://{work}/profile", "--headless", "--convert-to", form]
        subprocess.run([*command, "--outdir", str(HERE), str(path)], check=True, stdout=subprocess.DEVNULL)
