//! Outlook messages (MS-OXMSG, a compound file).

mod compressed_rtf;
mod properties;
#[cfg(test)]
mod tests;

use crate::attachment::{write_attachment, write_unreadable};
use crate::encoding::declared;
use crate::encoding::decode;
use crate::mail::message::{Body, MailMessage};
use crate::{Writer, rtf};
use properties::{Properties, Store};
use socle_core::Result;
use std::borrow::Cow;

/// Size of the header of the property stream: of the message, of an embedded message, and of other storages.
const HEAD_OUTER: usize = 32;
const HEAD_INNER: usize = 24;
const HEAD_OTHER: usize = 8;

/// Properties (MS-OXPROPS).
const SUBJECT: u32 = 0x0037;
const SENT: u32 = 0x0039;
const SENDER_ON_BEHALF: (u32, u32, u32) = (0x0042, 0x5d02, 0x0065);
const SENDER: (u32, u32, u32) = (0x0c1a, 0x5d01, 0x0c1f);
const RECIPIENT: (u32, u32, u32) = (0x3001, 0x39fe, 0x3003);
const RECIPIENT_KIND: u32 = 0x0c15;
const SHOWN_CC: u32 = 0x0e03;
const SHOWN_TO: u32 = 0x0e04;
const DELIVERED: u32 = 0x0e06;
const BODY: u32 = 0x1000;
const RICH_TEXT: u32 = 0x1009;
const HTML: u32 = 0x1013;
const CREATED: u32 = 0x3007;
const CHANGED: u32 = 0x3008;
const DISPLAY_NAME: u32 = 0x3001;
const ATTACHED: u32 = 0x3701;
const SHORT_NAME: u32 = 0x3704;
const METHOD: u32 = 0x3705;
const LONG_NAME: u32 = 0x3707;
const MEDIA_TYPE: u32 = 0x370e;
/// A message attached to a message, for [`METHOD`].
const EMBEDDED: u32 = 5;

/// Reads the document and writes it as Markdown.
///
/// # Errors
/// As [`crate::extract`].
pub fn read(bytes: &[u8], writer: &mut Writer) -> Result<()> {
    let mut store = Store::open(bytes, writer.limits().unpacked)?;
    let result = write(&mut store, "/", None, writer);
    writer.limits().unpacked = store.left;
    result
}

/// Writes the message in the storage `path`.
fn write(store: &mut Store<'_>, path: &str, charset: Option<String>, writer: &mut Writer) -> Result<()> {
    let head = if path == "/" { HEAD_OUTER } else { HEAD_INNER };
    let message = Properties::read(store, path, head, charset)?;
    let from = match person(&message, store, SENDER_ON_BEHALF)? {
        Some(from) => Some(from),
        None => person(&message, store, SENDER)?,
    };
    let (to, cc) = recipients(&message, store, path)?;
    let sent = [SENT, DELIVERED, CREATED].into_iter().find_map(|id| message.time(id));
    let text = message.text(store, BODY)?;
    let html = match message.binary(store, HTML)? {
        Some(bytes) => {
            let charset = declared(&bytes).or_else(|| message.charset());
            Some(decode(&bytes, charset.as_deref()).into_owned())
        }
        None => message.text(store, HTML)?,
    };
    let rich = if text.is_none() && html.is_none() { message.binary(store, RICH_TEXT)? } else { None };
    let mail = MailMessage {
        subject: message.text(store, SUBJECT)?,
        from,
        to,
        cc,
        date: sent,
        text: text.map(|text| Body::Plain(Cow::Owned(text))).into_iter().collect(),
        html: html.map(|html| Body::Html(Cow::Owned(html))).into_iter().collect(),
        pictures: Vec::new(),
    };
    mail.write(writer)?;
    writer.metadata().modified = message.time(CHANGED);
    if let Some(rich) = rich {
        let rich = compressed_rtf::unpack(&rich, store.left)?;
        store.left = store.left.saturating_sub(rich.len());
        let result = writer.nested(1, |writer| rtf::read(&rich, writer));
        result.or_else(|error| write_unreadable("text", &error, writer))?;
    }
    for path in store.storages(path, "__attach_version1.0_") {
        attachment(store, &path, message.charset(), writer)?;
    }
    Ok(())
}

/// A name with its address. Addresses of Exchange are paths and no addresses.
fn person(from: &Properties, store: &mut Store<'_>, (name, mail, other): (u32, u32, u32)) -> Result<Option<String>> {
    let name = from.text(store, name)?;
    let address = match from.text(store, mail)? {
        Some(address) => Some(address),
        None => from.text(store, other)?.filter(|address| address.contains('@')),
    };
    Ok(match (name, address) {
        (Some(name), Some(address)) if name.trim_matches('\'') != address => Some(format!("{name} <{address}>")),
        (_, Some(address)) => Some(address),
        (name, None) => name,
    })
}

/// To whom, and to whom as a copy.
fn recipients(message: &Properties, store: &mut Store<'_>, path: &str) -> Result<(Option<String>, Option<String>)> {
    let (mut to, mut cc) = (Vec::new(), Vec::new());
    for path in store.storages(path, "__recip_version1.0_") {
        let recipient = Properties::read(store, &path, HEAD_OTHER, message.charset())?;
        let Some(person) = person(&recipient, store, RECIPIENT)? else { continue };
        match recipient.number(RECIPIENT_KIND).unwrap_or(1) {
            1 => to.push(person),
            2 => cc.push(person),
            _ => {}
        }
    }
    let line = |people: Vec<String>| (!people.is_empty()).then(|| people.join(", "));
    if to.is_empty() && cc.is_empty() {
        return Ok((message.text(store, SHOWN_TO)?, message.text(store, SHOWN_CC)?));
    }
    Ok((line(to), line(cc)))
}

fn attachment(store: &mut Store<'_>, path: &str, charset: Option<String>, writer: &mut Writer) -> Result<()> {
    let properties = Properties::read(store, path, HEAD_OTHER, charset)?;
    let mut name = None;
    for id in [LONG_NAME, SHORT_NAME, DISPLAY_NAME] {
        if name.is_none() {
            name = properties.text(store, id)?;
        }
    }
    let name = name.unwrap_or_default();
    if properties.number(METHOD) == Some(EMBEDDED) {
        let inner = properties.storage(ATTACHED);
        let result = writer.nested(1, |writer| write(store, &inner, properties.charset(), writer));
        return result.or_else(|error| write_unreadable(&name, &error, writer));
    }
    let media = properties.text(store, MEDIA_TYPE)?;
    let Some(bytes) = properties.binary(store, ATTACHED)? else { return Ok(()) };
    // What is attached may be packed too.
    writer.limits().unpacked = store.left;
    let result = write_attachment(&name, media.as_deref(), &bytes, writer);
    store.left = writer.limits().unpacked;
    result
}
