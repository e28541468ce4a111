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
    assert!(text.contains("documents are nested too deeply"), "{text}");
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

#[test]
fn each_mail_of_a_mailbox_is_a_section() {
    let mailbox = "From a@b.c Mon May  6 07:08:09 2024\r\nFrom: a@b.c\r\nSubject: one\r\n\r\nFirst.\r\n\r\nFrom here on, at 10:00, \
        all is text.\r\n\r\n>From the start\r\n>>From before\r\n\r\nFrom d@e.f Tue May  7 07:08:09 2024\nSubject: =?utf-8?q?zwei=C3=A4?=\n\
        Content-Type: multipart/mixed; boundary=b\n\n--b\n\nSecond.\n--b\nContent-Type: text/plain; name=note.txt\n\nAttached.\n\
        --b--\n\nFrom g@h.i Wed May  8 07:08:09 2024 +0200\nTo: g@h.i\nContent-Type: text/plain; charset=iso-8859-2\n\nTrze\u{b6}\n\n\
        From j@k.l Thu May  9 07:08:09 2024\nSubject: sealed\nContent-Type: multipart/encrypted; boundary=b\n\n--b\n\nx\n--b--\n\n\
        From m@n.o Fri May 10 07:08:09 2024\nSubject: last\n\nEnd.\n";
    let bytes: Vec<u8> = mailbox.chars().map(|c| c as u8).collect();
    let document = extract(&bytes, None, None, LIMITS).unwrap();
    assert_eq!(
        document.markdown,
        "# one\n\nFrom: a@b.c\n\nFirst.\n\nFrom here on, at 10:00, all is text.\n\nFrom the start\n\n> From before\n\n# zweiä\n\n\
         Second.\n\n## note.txt\n\nAttached.\n\n# (no subject)\n\nTo: g@h.i\n\nTrześ\n\n# sealed\n\nmail cannot be read: \
         mail is encrypted\n\n# last\n\nEnd."
    );
    assert_eq!((document.metadata.media_type.as_str(), document.metadata.title), ("message/rfc822", None));
    let text = "From here on, at 10:00, all is text.\nNote: a line.\n\nFrom there on, at 11:00, too.\nNote: another.";
    assert_eq!(extract(text.as_bytes(), None, None, LIMITS).unwrap().metadata.media_type, "text/plain");
}

/// A text as bytes of an encoding.
fn encoded(text: &str, encoding: &str) -> Vec<u8> {
    encoding_rs::Encoding::for_label(encoding.as_bytes()).unwrap().encode(text).0.into_owned()
}

/// Bytes as quoted-printable writes them, in lines of three characters.
fn quoted(bytes: &[u8]) -> String {
    let characters: Vec<String> = bytes
        .iter()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(*byte).to_string() } else { format!("={byte:02X}") })
        .collect();
    characters.chunks(3).map(|three| three.concat()).collect::<Vec<_>>().join("=\r\n")
}

#[test]
fn texts_of_all_countries_arrive_however_they_are_packed() {
    let polish = "Zażółć gęślą jaźń, Łódź: żółw nie spał całą noc.";
    let german = "Größe und Übermaß: die Straße führt über die Brücke.";
    let french = "L'été dernier, la forêt brûlait près de l'île.";
    for (text, encoding) in [
        (polish, "iso-8859-2"),
        (polish, "windows-1250"),
        (german, "windows-1250"),
        (german, "iso-8859-1"),
        (french, "iso-8859-15"),
        (french, "windows-1252"),
        (polish, "utf-8"),
    ] {
        let bytes = encoded(text, encoding);
        let subject = quoted(&bytes).replace("=\r\n", "");
        let head = format!("From: a@b.c\r\nSubject: =?{encoding}?q?{subject}?=\r\nMIME-Version: 1.0\r\n");
        let kind = format!("Content-Type: text/plain; charset=\"{encoding}\"\r\n");
        let packed = format!("{head}{kind}Content-Transfer-Encoding: quoted-printable\r\n\r\n{}\r\n", quoted(&bytes));
        let raw = [format!("{head}{kind}Content-Transfer-Encoding: 8bit\r\n\r\n").as_bytes(), &bytes].concat();
        for letter in [packed.as_bytes(), &raw] {
            let document = extract(letter, None, None, LIMITS).unwrap();
            assert_eq!(document.markdown, format!("# {text}\n\nFrom: a@b.c\n\n{text}"), "{encoding}");
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    crate::base64::encode(bytes)
}

#[test]
fn heads_are_read_in_each_encoding_that_bodies_are_read_in() {
    for (text, encoding) in [
        ("会議の議事録", "euc-jp"),
        ("会議の議事録", "shift_jis"),
        ("会議の議事録", "iso-2022-jp"),
        ("会议记录", "gb2312"),
        ("会议记录", "gb18030"),
        ("會議記錄", "big5"),
        ("회의 기록", "euc-kr"),
        ("Протокол собрания", "koi8-r"),
        ("Протокол собрания", "windows-1251"),
        ("Πρακτικά της συνεδρίασης", "windows-1253"),
        ("פרוטוקול", "iso-8859-8"),
        ("محضر الاجتماع", "windows-1256"),
        ("รายงานการประชุม", "windows-874"),
        ("Zażółć gęślą jaźń", "utf-8"),
    ] {
        let bytes = encoded(text, encoding);
        // In the middle of a character, where there is one.
        let (first, second) = bytes.split_at((bytes.len() / 2) | 1);
        let word = |bytes: &[u8]| format!("=?{encoding}?B?{}?=", base64(bytes));
        let (cut, whole) = (format!("{}\r\n {}", word(first), word(second)), word(&bytes));
        let cut = if encoding == "iso-2022-jp" { whole.clone() } else { cut };
        let percent = |bytes: &[u8]| bytes.iter().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let pieces = format!("filename*0*={encoding}''{};\r\n filename*1*={}", percent(first), percent(second));
        let mail = format!(
            "From: {cut} <a@b.c>\r\nTo: \"{whole}\" <d@e.f>\r\nSubject: Re: {cut}\r\nMIME-Version: 1.0\r\nContent-Type: \
             multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset={encoding}\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--x\r\nContent-Type: text/plain; name=\"{whole}\"\r\n\r\none\r\n\
             --x\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; {pieces}\r\n\r\ntwo\r\n--x--\r\n",
            base64(&bytes)
        );
        let document = extract(mail.as_bytes(), None, None, LIMITS).unwrap();
        let wanted = format!(
            "# Re: {text}\n\nFrom: {text} <a@b.c>\nTo: {text} <d@e.f>\n\n{text}\n\n## {text}\n\none\n\n## {text}\n\ntwo"
        );
        assert_eq!(document.markdown, wanted, "{encoding}");
        assert_eq!(document.metadata.title, Some(format!("Re: {text}")));
    }
}

#[test]
fn mails_in_a_digest_have_heads_too() {
    let mail = "Subject: x\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nFrom: =?gb2312?B?0fmxvg==?= <a@b.c>\n\
                Subject: =?gb2312?B?u+HS6bzHwrw=?=\n\nwords\n--b--\n";
    let text = self::mail(mail.as_bytes()).unwrap().markdown;
    assert!(text.contains("会议记录") && text.contains("样本 <a@b.c>"), "{text}");
}

#[test]
fn bodies_of_seven_bits_are_read() {
    let head = "Subject: =?utf-7?Q?Fr+APY-sche?=\nContent-Type: text/plain; charset=utf-7\n\n";
    let text = mail(format!("{head}Die Fr+APY-sche und +AOQ-hnliches.").as_bytes()).unwrap().markdown;
    assert_eq!(text, "# Frösche\n\nDie Frösche und ähnliches.");
}

#[test]
fn what_is_attached_and_no_text_is_named() {
    let sound: Vec<u8> = (0..3000_u32).map(|at| 0xc0 | (at.wrapping_mul(2_654_435_761) >> 26) as u8).collect();
    let mail = format!(
        "Subject: x\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nListen.\n--b\nContent-Type: audio/basic\n\
         Content-Transfer-Encoding: base64\n\n{}\n--b--\n",
        base64(&sound)
    );
    let text = self::mail(mail.as_bytes()).unwrap().markdown;
    assert_eq!(text, "# x\n\nListen.\n\nattachment audio/basic: audio file cannot be read");
    let pictures = "Subject: x\nContent-Type: text/html\n\n<img src='cid:1'>";
    let document = self::mail(pictures.as_bytes()).unwrap();
    assert_eq!((document.markdown.as_str(), document.metadata.pages_without_text), ("# x", Some(1)));
    let picture = "Subject: x\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw0KGgoAAAAN\n";
    let document = self::mail(picture.as_bytes()).unwrap();
    assert_eq!(document.markdown, "# x\n\nattachment image/png: PNG image cannot be read");
    assert_eq!(document.metadata.pages_without_text, Some(1));
}

#[test]
fn a_reply_is_read_once_with_the_mail_that_it_forwards() {
    // As a mail program of Windows writes it: text and HTML of the same in windows-1250, a mail forwarded as a file.
    let text = quoted(&encoded("Dzień dobry, przesyłam umowę.", "windows-1250"));
    let html = quoted(&encoded("<p>Dzień dobry, <b>przesyłam</b> umowę.</p>", "windows-1250"));
    let mail = format!(
        "Message-ID: <1@b.c>\r\nFrom: =?windows-1250?Q?=A3ukasz?= <l@b.c>\r\nSubject: Fwd: umowa\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"m\"\r\n\r\nThis is a multi-part message in MIME format.\r\n--m\r\n\
         Content-Type: multipart/alternative; boundary=\"a\"\r\n\r\n--a\r\nContent-Type: text/plain; charset=windows-1250\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n{text}\r\n--a\r\nContent-Type: text/html; charset=windows-1250\r\n\
         Content-Transfer-Encoding: quoted-printable\r\n\r\n{html}\r\n--a--\r\n--m\r\nContent-Type: message/rfc822\r\n\r\n\
         From: Jean <j@b.c>\r\nSubject: =?iso-8859-1?B?Q29udHJhdCBk6WZpbml0aWY=?=\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\n\
         Vm9pY2kgbGUgY29udHJh\r\ndCBz6WN1cmlz6S4=\r\n--m--\r\n"
    );
    let document = extract(mail.as_bytes(), None, None, LIMITS).unwrap();
    assert_eq!(
        document.markdown,
        "# Fwd: umowa\n\nFrom: Łukasz <l@b.c>\n\nDzień dobry, przesyłam umowę.\n\n## Contrat définitif\n\n\
         From: Jean <j@b.c>\n\nVoici le contrat sécurisé."
    );
}
