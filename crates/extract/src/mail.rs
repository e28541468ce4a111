//! Mail as it is sent (MIME), mailboxes of several mails, and pages that browsers save in the same form.
//!
//! The structure and the fields of the head are read by `mail-parser`; text is decoded here, because it may come without
//! the name of its encoding, or with a wrong one.

mod head;
pub(crate) mod letter;
mod mailbox;
mod parameter;
#[cfg(test)]
mod tests;
mod transfer;
mod word;

use crate::archive::encrypted;
use crate::text::decode;
use crate::{Writer, cms};
use letter::{Letter, Part, attach, refuse};
use mail_parser::{Address, Message, MessageParser, MessagePart, MimeHeaders, PartType};
pub(crate) use mailbox::separates;
use socle_core::{Error, Kind, Result};
use std::borrow::Cow;
pub(crate) use transfer::base64;
#[cfg(test)]
pub(crate) use transfer::to_base64;

/// Most parts of a mail, with those of the mails in it: the memory that they take is a multiple of their bytes.
const MAX_PARTS: usize = 100_000;
/// The heading of a mail of a mailbox that has no subject: without one, it would look like the end of the mail before.
const NO_SUBJECT: &str = "(no subject)";

/// Writes what the document says. Of a mailbox, each mail is a section with its subject as heading, and one that cannot
/// be read leaves a line that says why.
///
/// # Errors
/// See [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let Some(mails) = mailbox::mails(bytes) else { return one(bytes, None, writer) };
    // Metadata of a mail is not that of the mailbox.
    let metadata = writer.metadata().clone();
    for mail in mails {
        let before = writer.length();
        let result = one(&mailbox::unmarked(mail), Some(NO_SUBJECT), writer);
        *writer.metadata() = metadata.clone();
        match result {
            Err(error) if error.kind != Kind::InputTooLong => {
                writer.cut(before);
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
    let bytes = head::readable(bytes);
    if bytes.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"--")).count() > MAX_PARTS {
        return Err(Error::new(Kind::InputTooLong, format!("mail has more than {MAX_PARTS} parts")));
    }
    let message = MessageParser::default().parse(&*bytes).filter(|message| !message.headers().is_empty());
    let Some(message) = message else {
        return Err(Error::new(Kind::DamagedDocument, "mail has no head"));
    };
    let result = write(&message, untitled, writer);
    drop_flat(message);
    result
}

/// Mails that lie in each other without end must not take all of the stack when they are freed.
fn drop_flat(message: Message<'_>) {
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
    if let Some(signed) = unsealed(message)? {
        return writer.deeper(|writer| one(&signed, untitled, writer));
    }
    let parts = |ids: &[u32]| -> Vec<Part<'_>> {
        ids.iter().filter_map(|id| message.part(*id)).filter_map(|part| body(message, part)).collect()
    };
    let date = message.date().filter(|date| date.is_valid()).map(|date| date.to_rfc3339());
    let mut letter = Letter {
        subject: message.subject().filter(|subject| !subject.trim().is_empty()).or(untitled).map(str::to_string),
        from: message.from().or_else(|| message.sender()).and_then(people),
        to: message.to().and_then(people),
        cc: message.cc().and_then(people),
        date: date.or_else(|| message.header_raw("Date").map(|date| date.trim().to_string())),
        text: parts(&message.text_body),
        html: parts(&message.html_body),
    };
    let mut attached = Vec::new();
    for part in message.attachments.iter().filter_map(|id| message.part(*id)) {
        // What mail-parser could not unpack is attached for it.
        let is_body = part.is_encoding_problem && part.attachment_name().is_none();
        match body(message, part).filter(|_| is_body) {
            Some(text @ Part::Plain(_)) => letter.text.push(text),
            Some(html @ Part::Html(_)) => letter.html.push(html),
            None => attached.push(part),
        }
    }
    let has_text = letter.write(writer)?;
    let is_picture = |part: &&MessagePart<'_>| part.content_type().is_some_and(|media| media.ctype() == "image");
    if !has_text && !attached.is_empty() && attached.iter().all(is_picture) {
        writer.metadata().pages_without_text = Some(1);
    }
    attached.into_iter().try_for_each(|part| attachment(message, part, writer))
}

/// A mail that is signed as a whole, as it was before. What only the receiver can read is refused.
fn unsealed(message: &Message<'_>) -> Result<Option<Vec<u8>>> {
    let Some(part) = message.parts.first() else { return Ok(None) };
    let Some(media) = part.content_type() else { return Ok(None) };
    let kind = media.subtype().unwrap_or_default().to_ascii_lowercase();
    match kind.as_str() {
        "pkcs7-mime" | "x-pkcs7-mime" => {
            let signed = cms::content(&content(message, part)).map_err(|error| match error.kind {
                // The hint for files helps nobody here.
                Kind::NotSupported if error.message == encrypted().message => sealed(),
                _ => error,
            })?;
            // Who wrote to whom stands outside.
            let head = message.raw_message.get(part.offset_header as usize..part.offset_body as usize);
            let mut mail = outer(head.unwrap_or_default());
            mail.extend(signed);
            Ok(Some(mail))
        }
        "encrypted" => Err(sealed()),
        _ => Ok(None),
    }
}

fn sealed() -> Error {
    Error::new(Kind::NotSupported, "mail is encrypted").hint("Decrypt it in a mail program.")
}

/// The fields of a head, but for those that say what the body is.
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

/// Names with their addresses in one line.
fn people(address: &Address<'_>) -> Option<String> {
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

/// A part of the text.
fn body<'a>(message: &'a Message<'_>, part: &'a MessagePart<'_>) -> Option<Part<'a>> {
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
    Some(if is_html { Part::Html(text) } else { Part::Plain(text) })
}

/// The bytes of a part, as they were before they were packed for sending.
fn content<'a>(message: &'a Message<'_>, part: &'a MessagePart<'_>) -> Cow<'a, [u8]> {
    if !matches!(part.body, PartType::Text(_) | PartType::Html(_)) {
        return part.contents().into();
    }
    // Of a mail in another, the whole: places are counted from there.
    match message.raw_message.get(part.offset_body as usize..part.offset_end as usize) {
        Some(raw) => transfer::unpack(raw, part.content_transfer_encoding().unwrap_or_default()),
        None => part.contents().into(),
    }
}

fn attachment(message: &Message<'_>, part: &MessagePart<'_>, writer: &mut Writer) -> Result<()> {
    let media = part.content_type().map(|media| match media.subtype() {
        Some(subtype) => format!("{}/{subtype}", media.ctype()),
        None => media.ctype().to_string(),
    });
    let name = part.attachment_name().unwrap_or_default();
    // Signatures are for programs.
    if media.as_deref().is_some_and(|media| media.ends_with("-signature")) {
        return Ok(());
    }
    if let PartType::Message(inner) = &part.body {
        let result = writer.nested(1, |writer| write(inner, None, writer));
        return result.or_else(|error| refuse(inner.subject().unwrap_or(name), &error, writer));
    }
    let name = if name.is_empty() { media.as_deref().unwrap_or_default() } else { name };
    attach(name, media.as_deref(), &content(message, part), writer)
}
