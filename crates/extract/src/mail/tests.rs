//! Mails that Python's email package wrote, and broken ones.

use super::read;
use crate::{Limits, Media, Writer, extract};
use socle_core::document::Document;
use socle_core::{Kind, Result};

const LIMITS: Limits = Limits { output: 1 << 24, unpacked: 1 << 24, depth: 8 };

fn file(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/files/mail/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn mail(bytes: &[u8]) -> Result<Document> {
    let mut writer = Writer::new(Media::Mail, LIMITS);
    read(bytes, &mut writer)?;
    Ok(writer.finish())
}

#[test]
fn a_mail_is_read_with_all_that_is_attached() {
    let document = extract(&file("nested.eml"), None, None, LIMITS).unwrap();
    let subject = "Réunion du comité : préparation de l’ordre du jour et des pièces jointes à distribuer";
    let wanted = format!(
        "# {subject}\n\nFrom: Zoë Müller <zoe@example.org>\nTo: Comité, tout le <comite@example.org>, Jean \
         <jean@example.org>\nCc: archive@example.org\nDate: 2024-05-07T09:10:11-04:00\n\nBonjour,\n\nvoici l’ordre du \
         jour.\nÀ mardi\n\n> Peux-tu envoyer la liste ?\n\n> > Bien sûr.\n\n> Merci.\n\n\\--\nZoë\n\n## ordre du jour.md\n\n\
         ### Ordre du jour\n\n- budget\n- travaux\n\n## Möbel für das Büro.txt\n\nGröße und Gewicht der Möbel für das \
         Büro im zweiten Stock\n\nattachment plan.png: PNG image cannot be read\n\nattachment vide.pdf: document is \
         empty\n\n## Zgłoszenie usterki\n\nFrom: Łukasz Żak <lukasz@example.org>\nTo: support@example.org\nDate: \
         2024-05-06T07:08:09+02:00\n\nDrzwi się nie zamykają.\n\nPozdrawiam\n\n### pokoje.csv\n\n| pokój | stan |\n| --- | \
         --- |\n| 1 | dobry |\n| 2 | zły |\n| 3 | dobry |\n\n## page.html\n\n### Page\n\nText"
    );
    assert_eq!(document.markdown, wanted);
    assert_eq!(document.metadata.media_type, "message/rfc822");
    assert_eq!(document.metadata.title.as_deref(), Some(subject));
    assert_eq!(document.metadata.author.as_deref(), Some("Zoë Müller <zoe@example.org>"));
    assert_eq!(document.metadata.created.as_deref(), Some("2024-05-07T09:10:11-04:00"));
    assert!(document.blocks.iter().all(|block| block.page.is_none()));
}

#[test]
fn html_is_read_where_the_text_says_nothing() {
    let text = mail(&file("stub.eml")).unwrap().markdown;
    assert!(text.ends_with("by the end of the month.\n\n- one\n- two"), "{text}");
    assert!(text.contains("# News of May\n\n") && !text.contains("does not show"), "{text}");
}

#[test]
fn encodings_need_not_be_declared() {
    let document = mail(&file("undeclared.eml")).unwrap();
    assert!(document.markdown.starts_with("# Überstunden für März\n\nFrom: Jürgen Groß <juergen@example.org>\n"));
    assert!(document.markdown.ends_with("Die Überstunden müssen bis März gemeldet werden.\n\nGrüße\nJürgen"));
    let text = mail(&file("japanese.eml")).unwrap().markdown;
    assert!(text.starts_with("# お知らせ\n\nFrom: 総務部 <soumu@example.jp>"), "{text}");
    assert!(text.ends_with("休暇の申請は総務部で受け付けます。"), "{text}");
    let wide: Vec<u8> = "From: ä <a@b.c>\nSubject: ż\n\nœ\n".encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(mail(&wide).unwrap().markdown, "# ż\n\nFrom: ä <a@b.c>\n\nœ");
    let wrong = b"Subject: x\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nStra\xdfe nach K\xf6ln\n";
    assert!(mail(wrong).unwrap().markdown.ends_with("Straße nach Köln"));
    let parts = b"Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=iso-8859-1\n\n\
        Gr\xfc\xdfe\n--\nJ\xfcrgen Gro\xdf\n\n--b\nContent-Type: text/plain; name=\"M\xf6bel f\xfcr Jan.txt\"\n\n\
        text\n--b\nContent-Type: message/rfc822\n\nSubject: \xdcberstunden\n\ninner\n--b--\n";
    let text = mail(parts).unwrap().markdown;
    assert_eq!(text, "# x\n\nGrüße\n\\--\nJürgen Groß\n\n## Möbel für Jan.txt\n\ntext\n\n## Überstunden\n\ninner");
    let mailbox = b"From a@b.c Mon May  6 07:08:09 2024\nFrom: a@b.c\nSubject: x\n\nbody";
    assert_eq!(mail(mailbox).unwrap().markdown, "# x\n\nFrom: a@b.c\n\nbody");
}

#[test]
fn what_broke_on_its_way_is_read_as_far_as_it_goes() {
    let head = "Subject: x\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nstub\n\
        --b\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n";
    let broken = format!("{head}<p>the=20whole = text of a long = letter in Caf=C3=\n=A9 =zz and = more=</p>\n--b--\n");
    assert_eq!(
        mail(broken.as_bytes()).unwrap().markdown,
        "# x\n\nthe whole = text of a long = letter in Café =zz and = more="
    );
    let image = "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: image/jpeg; name=a.jpg\n\
        Content-Transfer-Encoding: base64\n\n/9j/4AAQSkZJRgABAQ[broken]\n--b--\n";
    assert_eq!(mail(image.as_bytes()).unwrap().markdown, "# x\n\nattachment a.jpg: JPEG image cannot be read");
    let sealed = "Subject: x\nContent-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n";
    assert_eq!(mail(sealed.as_bytes()).unwrap_err().message, "mail is encrypted");
}

#[test]
fn mails_in_mails_end_somewhere() {
    let mut bytes = b"Subject: inner\n\nheart\n".to_vec();
    for level in (0..20).rev() {
        let head = format!("Subject: level {level}\nContent-Type: message/rfc822\n\n");
        bytes = [head.as_bytes(), &bytes].concat();
    }
    let text = mail(&bytes).unwrap().markdown;
    assert!(text.contains("# level 7") && !text.contains("# level 9"), "{text}");
    assert!(text.contains("documents lie in each other too deeply"), "{text}");
}

#[test]
fn hostile_mails_are_survived() {
    let deep = "Content-Type: message/rfc822\n\n".repeat(100_000);
    assert!(mail(format!("Subject: a\n{deep}text").as_bytes()).is_ok());
    let mut parts = String::from("Subject: a\n");
    for level in 0..10_000 {
        parts.push_str(&format!("Content-Type: multipart/mixed; boundary=\"b{level}\"\n\n--b{level}\n"));
    }
    parts.push_str("\nlast words\n");
    assert!(mail(parts.as_bytes()).unwrap().markdown.contains("last words"));
    let heads = "X-Head: y\n".repeat(100_000);
    assert!(mail(format!("Subject: a\n{heads}\ntext").as_bytes()).unwrap().markdown.ends_with("text"));
    let folded = format!("Subject: {}\n\ntext", "=?utf-8?q?=C3=A9?=\n ".repeat(50_000));
    assert!(mail(folded.as_bytes()).is_ok());
    let garbage = "Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=ZZ=\n=4=C3=\n==é=F0 end=";
    assert!(mail(garbage.as_bytes()).unwrap().markdown.contains("end"));
    let many = format!("Content-Type: multipart/mixed; boundary=b\n\n{}", "--b\n\nx\n".repeat(100_001));
    assert_eq!(mail(many.as_bytes()).unwrap_err().kind, Kind::InputTooLong);
    assert_eq!(mail(b"\n\n").unwrap_err().kind, Kind::DamagedDocument);
}

#[test]
fn a_mail_cut_anywhere_is_no_panic() {
    let bytes = file("nested.eml");
    for end in (0..bytes.len()).step_by(7) {
        let _ = mail(&bytes[..end]);
    }
}
