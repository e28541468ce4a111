//! MIME messages (RFC 5322), mailboxes (mbox), and web pages saved as MHTML.
//!
//! `mail-parser` parses structure and header fields; text is decoded here, because its charset may be missing or wrong.

mod encoded_word;
mod header;
mod mbox;
pub(crate) mod message;
mod parameter;
#[cfg(test)]
mod tests;
mod transfer_encoding;

use crate::archive::encrypted;
use crate::attachment::{write_attachment, write_unreadable};
use crate::encoding::decode;
use crate::{Writer, cms};
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use message::{Body, MailMessage, Written};
use socle_core::{Error, Kind, Result};
use std::borrow::Cow;

/// Maximum number of parts of a mail, including those of nested mails: parsed parts take a multiple of their size in
/// memory.
const MAX_PARTS: usize = 100_000;
/// Heading of a mail without a subject in a mailbox, which separates it from the previous mail.
const NO_SUBJECT: &str = "(no subject)";

/// Reads the document and writes it as Markdown. Each mail of a mailbox becomes a section with its subject as heading;
/// a mail that cannot be read is replaced by a line with the reason.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let Some(mails) = mbox::mails(bytes) else { return one(bytes, None, writer) };
    // The metadata of its mails is not that of the mailbox.
    let metadata = writer.metadata().clone();
    for mail in mails {
        let before = writer.length();
        let result = one(&mbox::unescaped(mail), Some(NO_SUBJECT), writer);
        *writer.metadata() = metadata.clone();
        match result {
            Err(error) if error.kind != Kind::InputTooLong => {
                writer.truncate(before);
                let head = MessageParser::default().parse_headers(mail);
                writer.heading(1, head.as_ref().and_then(Message::subject).unwrap_or(NO_SUBJECT))?;
                writer.paragraph(&format!("mail cannot be read: {error}"))?;
            }
            result => result?,
        }
    }
    Ok(())
}

/// Writes one mail. `untitled` is its heading if it has no subject.
fn one(bytes: &[u8], untitled: Option<&str>, writer: &mut Writer) -> Result<()> {
    let bytes = header::to_utf_8(bytes);
    if bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"--")).count() > MAX_PARTS {
        return Err(Error::new(Kind::InputTooLong, format!("mail has more than {MAX_PARTS} parts")));
    }
    let message = MessageParser::default().parse(&*bytes).filter(|message| !message.headers().is_empty());
    let Some(message) = message else {
        return Err(Error::new(Kind::DamagedDocument, "mail has no head"));
    };
    let result = write(&message, untitled, writer);
    drop_without_recursion(message);
    result
}

/// Drops a message without recursion, so that deeply nested mails do not overflow the stack.
fn drop_without_recursion(message: Message<'_>) {
    let mut messages = vec![message];
    while let Some(message) = messages.pop() {
        for part in message.parts {
            if let PartType::Message(inner) = part.body {
                messages.push(inner);
            }
        }
    }
}

fn write(message: &Message<'_>, untitled: Option<&str>, writer: &mut Writer) -> Result<()> {
    if let Some(signed) = signed_content(message)? {
        return writer.unwrapped(|writer| one(&signed, untitled, writer));
    }
    let parts = |ids: &[u32]| -> Vec<Body<'_>> {
        ids.iter().filter_map(|id| message.part(*id)).filter_map(|part| body(message, part)).collect()
    };
    let date = message.date().filter(|date| date.is_valid()).map(|date| date.to_rfc3339());
    let mut mail = MailMessage {
        subject: message.subject().filter(|subject| !subject.trim().is_empty()).or(untitled).map(str::to_string),
        from: message.from().or_else(|| message.sender()).and_then(address_list),
        to: message.to().and_then(address_list),
        cc: message.cc().and_then(address_list),
        date: date.or_else(|| message.header_raw("Date").map(|date| date.trim().to_string())),
        text: parts(&message.text_body),
        html: parts(&message.html_body),
        pictures: Vec::new(),
    };
    let mut attached = Vec::new();
    for part in message.attachments.iter().filter_map(|id| message.part(*id)) {
        // mail-parser classifies parts that it could not decode as attachments.
        let is_body = part.is_encoding_problem && part.attachment_name().is_none();
        match body(message, part).filter(|_| is_body) {
            Some(text @ Body::Plain(_)) => mail.text.push(text),
            Some(html @ Body::Html(_)) => mail.html.push(html),
            None => attached.push(part),
        }
    }
    let addressed = |part: &&MessagePart<'_>| addresses(part).next().is_some();
    for part in attached.iter().copied().filter(addressed) {
        mail.pictures.extend(addresses(part).map(|address| (address, content(message, part))));
    }
    let Written { has_text, pictures } = mail.write(writer)?;
    // What stands in the text is no attachment.
    attached.retain(|part| !addresses(part).any(|address| pictures.contains(&address)));
    let is_picture = |part: &&MessagePart<'_>| part.content_type().is_some_and(|media| media.ctype() == "image");
    let is_scan = !has_text && !attached.is_empty() && attached.iter().all(is_picture);
    let before = writer.metadata().recognized.len();
    attached.into_iter().try_for_each(|part| attachment(message, part, writer))?;
    if is_scan && writer.metadata().recognized.len() == before {
        writer.metadata().pages_without_text = Some(1);
    }
    Ok(())
}

/// What the HTML of a mail calls an attached picture.
fn addresses<'p>(part: &'p MessagePart<'_>) -> impl Iterator<Item = String> + 'p {
    let id = part.content_id().map(|id| format!("cid:{}", id.trim_matches(['<', '>'])));
    id.into_iter().chain(part.content_location().map(str::to_string))
}

/// The signed content of a mail that is signed as a whole (S/MIME), `None` for other mails.
///
/// # Errors
/// [`Kind::NotSupported`] if the mail is encrypted.
fn signed_content(message: &Message<'_>) -> Result<Option<Vec<u8>>> {
    let Some(part) = message.parts.first() else { return Ok(None) };
    let Some(media) = part.content_type() else { return Ok(None) };
    let kind = media.subtype().unwrap_or_default().to_ascii_lowercase();
    match kind.as_str() {
        "pkcs7-mime" | "x-pkcs7-mime" => {
            let signed = cms::content(&content(message, part)).map_err(|error| match error.kind {
                // The hint for files does not apply to mails.
                Kind::NotSupported if error.message == encrypted().message => encrypted_mail(),
                _ => error,
            })?;
            // The address fields are outside of the signed content.
            let head = message.raw_message.get(part.offset_header as usize..part.offset_body as usize);
            let mut mail = outer(head.unwrap_or_default());
            mail.extend(signed);
            Ok(Some(mail))
        }
        "encrypted" => Err(encrypted_mail()),
        _ => Ok(None),
    }
}

fn encrypted_mail() -> Error {
    Error::new(Kind::NotSupported, "mail is encrypted").hint("Decrypt it in a mail program.")
}

/// The fields of a header without those that describe the body.
fn outer(head: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(head.len());
    let mut is_kept = true;
    for line in head.split_inclusive(|byte| *byte == b'\n').filter(|line| !line.trim_ascii().is_empty()) {
        let starts = |name: &[u8]| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
        if !line.starts_with(b" ") && !line.starts_with(b"\t") {
            is_kept = !starts(b"content-") && !starts(b"mime-version:");
        }
        kept.extend_from_slice(if is_kept { line } else { b"" });
    }
    kept
}

/// Names and addresses on one line; `None` if there are none.
fn address_list(address: &Address<'_>) -> Option<String> {
    let mut line = String::new();
    for person in address.iter() {
        let name = person.name().map(str::trim).filter(|name| !name.is_empty());
        let text = match (name, person.address().map(str::trim).filter(|address| !address.is_empty())) {
            (Some(name), Some(address)) if name != address => format!("{name} <{address}>"),
            (Some(one), _) | (None, Some(one)) => one.to_string(),
            (None, None) => continue,
        };
        if !line.is_empty() {
            line.push_str(", ");
        }
        line.push_str(&text);
    }
    (!line.is_empty()).then_some(line)
}

/// The decoded text of a part; `None` if it is not text.
fn body<'a>(message: &'a Message<'_>, part: &'a MessagePart<'_>) -> Option<Body<'a>> {
    let is_html = match (&part.body, part.content_type()) {
        (PartType::Html(_), _) => true,
        (PartType::Text(_), Some(media)) if part.is_encoding_problem && media.ctype() != "text" => return None,
        (PartType::Text(_), media) => media.and_then(|media| media.subtype()) == Some("html"),
        _ => return None,
    };
    let charset = part.content_type().and_then(|content| content.attribute("charset"));
    let text = match content(message, part) {
        Cow::Borrowed(bytes) => decode(bytes, charset),
        Cow::Owned(bytes) => Cow::Owned(decode(&bytes, charset).into_owned()),
    };
    Some(if is_html { Body::Html(text) } else { Body::Plain(text) })
}

/// The bytes of a part with its transfer encoding removed.
fn content<'a>(message: &'a Message<'_>, part: &'a MessagePart<'_>) -> Cow<'a, [u8]> {
    if !matches!(part.body, PartType::Text(_) | PartType::Html(_)) {
        return part.contents().into();
    }
    // Offsets of a nested mail count from the start of the outermost one.
    match message.raw_message.get(part.offset_body as usize..part.offset_end as usize) {
        Some(raw) => transfer_encoding::decode(raw, part.content_transfer_encoding().unwrap_or_default()),
        None => part.contents().into(),
    }
}

fn attachment(message: &Message<'_>, part: &MessagePart<'_>, writer: &mut Writer) -> Result<()> {
    let media = part.content_type().map(|media| match media.subtype() {
        Some(subtype) => format!("{}/{subtype}", media.ctype()),
        None => media.ctype().to_string(),
    });
    let name = part.attachment_name().unwrap_or_default();
    // Detached signatures have no text.
    if media.as_deref().is_some_and(|media| media.ends_with("-signature")) {
        return Ok(());
    }
    if let PartType::Message(inner) = &part.body {
        let result = writer.nested(1, |writer| write(inner, None, writer));
        return result.or_else(|error| write_unreadable(inner.subject().unwrap_or(name), &error, writer));
    }
    let name = if name.is_empty() { media.as_deref().unwrap_or_default() } else { name };
    write_attachment(name, media.as_deref(), &content(message, part), writer)
}
