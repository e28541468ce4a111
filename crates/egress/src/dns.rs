//! Questions to a name server and their answers, as bytes (RFC 1035, over TCP as in RFC 7766).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Type of a record with an address of IPv4.
pub const A: u16 = 1;
/// Type of a record with an address of IPv6.
pub const AAAA: u16 = 28;

const CLASS_INTERNET: u16 = 1;
const HEADER: usize = 12;

/// What a name server answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// The addresses of the name, if it has any of this type.
    Addresses(Vec<IpAddr>),
    /// There is no such name.
    NoSuchName,
    /// The server cannot say, or its answer cannot be read.
    Unusable,
}

/// A question for the records of a type, with its length before it.
pub fn question(id: u16, name: &str, record_type: u16) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + name.len() + 6);
    // Recursion desired; one question.
    for field in [id, 0x0100, 1, 0, 0, 0] {
        message.extend_from_slice(&field.to_be_bytes());
    }
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(label.len() as u8);
        message.extend_from_slice(label.as_bytes());
    }
    message.push(0);
    message.extend_from_slice(&record_type.to_be_bytes());
    message.extend_from_slice(&CLASS_INTERNET.to_be_bytes());
    let length = message.len() as u16;
    [length.to_be_bytes().as_slice(), &message].concat()
}

/// Reads the answer to a question, without the length before it.
pub fn reply(message: &[u8], id: u16, record_type: u16) -> Reply {
    read(message, id, record_type).unwrap_or(Reply::Unusable)
}

fn read(message: &[u8], id: u16, record_type: u16) -> Option<Reply> {
    let flags = number(message, 2)?;
    let (is_answer, is_cut, code) = (flags & 0x8000 != 0, flags & 0x0200 != 0, flags & 0x000f);
    if number(message, 0)? != id || !is_answer || is_cut {
        return None;
    }
    match code {
        0 => {}
        3 => return Some(Reply::NoSuchName),
        _ => return None,
    }
    let (questions, answers) = (number(message, 4)?, number(message, 6)?);
    let mut at = HEADER;
    for _ in 0..questions {
        at = after_name(message, at)? + 4;
    }
    let mut addresses = Vec::new();
    // The server follows aliases: their addresses are in the same answer.
    for _ in 0..answers {
        at = after_name(message, at)?;
        let (found, class, length) = (number(message, at)?, number(message, at + 2)?, number(message, at + 8)?);
        let data = message.get(at + 10..at + 10 + usize::from(length))?;
        at += 10 + usize::from(length);
        if found != record_type || class != CLASS_INTERNET {
            continue;
        }
        addresses.push(match found {
            A => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?)),
            _ => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?)),
        });
    }
    Some(Reply::Addresses(addresses))
}

fn number(message: &[u8], at: usize) -> Option<u16> {
    message.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

/// Where a name ends. A pointer ends it, and what it points to is of no interest.
fn after_name(message: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let length = *message.get(at)?;
        match length {
            0 => return Some(at + 1),
            1..=63 => at += 1 + usize::from(length),
            0xc0.. => return Some(at + 2),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An answer with an alias before its addresses.
    fn answer(addresses: &[IpAddr]) -> Vec<u8> {
        let question = question(7, "api.example.org", A);
        let mut message = question[2..].to_vec();
        message[2..4].copy_from_slice(&0x8180_u16.to_be_bytes());
        message[6..8].copy_from_slice(&(addresses.len() as u16 + 1).to_be_bytes());
        message.extend_from_slice(&[0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, b'x', 0xc0, 16]);
        for address in addresses {
            let (record_type, data) = match address {
                IpAddr::V4(address) => (A, address.octets().to_vec()),
                IpAddr::V6(address) => (AAAA, address.octets().to_vec()),
            };
            message.extend_from_slice(&[1, b'x', 0xc0, 16]);
            message.extend_from_slice(&record_type.to_be_bytes());
            message.extend_from_slice(&[0, 1, 0, 0, 0, 9, 0, data.len() as u8]);
            message.extend(data);
        }
        message
    }

    #[test]
    fn addresses_are_read_and_other_records_passed_over() {
        let all: Vec<IpAddr> = ["1.2.3.4", "2001:db8::1", "5.6.7.8"].map(|text| text.parse().unwrap()).to_vec();
        assert_eq!(reply(&answer(&all), 7, A), Reply::Addresses(vec![all[0], all[2]]));
        assert_eq!(reply(&answer(&all), 7, AAAA), Reply::Addresses(vec![all[1]]));
        assert_eq!(reply(&answer(&[]), 7, A), Reply::Addresses(vec![]));
    }

    #[test]
    fn refusals_other_answers_and_damage_are_told_apart() {
        let good = answer(&["1.2.3.4".parse().unwrap()]);
        assert_eq!(reply(&good, 8, A), Reply::Unusable);
        let with = |at: usize, value: u8| {
            let mut message = good.clone();
            message[at] = value;
            reply(&message, 7, A)
        };
        assert_eq!(with(3, 0x83), Reply::NoSuchName);
        assert_eq!(with(3, 0x82), Reply::Unusable);
        assert_eq!(with(2, 0x83), Reply::Unusable, "cut");
        assert_eq!(with(2, 0x01), Reply::Unusable, "a question");
        assert_eq!(with(12, 0x80), Reply::Unusable);
        for length in 0..good.len() {
            assert_eq!(reply(&good[..length], 7, A), Reply::Unusable, "{length}");
        }
    }

    #[test]
    fn a_question_has_its_length_and_labels() {
        let bytes = question(0x0102, "a.bc", AAAA);
        assert_eq!(bytes[..4], [0, 22, 1, 2]);
        assert_eq!(bytes[14..], [1, b'a', 2, b'b', b'c', 0, 0, 28, 0, 1]);
    }
}
