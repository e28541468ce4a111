//! The URL of an endpoint, read strictly: one spelling for each address, so that what is checked is what is connected to.
//!
//! Programs disagree about hosts such as `0x7f.1`, `2130706433`, `127.1` or `[::ffff:127.0.0.1%1]`. None of them is a host
//! here.

use crate::{Error, Kind, Result};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Longest name of a host in bytes (RFC 1035).
const MAX_HOST: usize = 253;

/// Longest URL in bytes.
const MAX_URL: usize = 2_000;

/// Where an endpoint is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// Whether the connection is encrypted, and the server shows a certificate.
    pub is_tls: bool,
    /// The name of the host, in lower case; an address of IPv6 without brackets.
    pub host: String,
    /// The address, if the host is one.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// The path, without a slash at its end.
    pub path: String,
    /// What follows `?`.
    pub query: Option<String>,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// `InvalidArgument`, with what is wrong. The URL is not repeated: it may hold a secret by mistake.
    pub fn parse(url: &str) -> Result<Self> {
        if url.len() > MAX_URL || !url.bytes().all(|byte| (0x21..0x7f).contains(&byte)) {
            return Err(invalid(
                "It may have printable ASCII characters only. Names in other letters are written as xn--….",
            ));
        }
        if url.contains(['\\', '"', '<', '>', '^', '`', '{', '|', '}']) {
            return Err(invalid("It has a character that no URL has."));
        }
        let (scheme, rest) = url.split_once("://").ok_or_else(|| invalid("It must begin with https:// or http://."))?;
        let is_tls = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(invalid("It must begin with https:// or http://.")),
        };
        if rest.contains('#') {
            return Err(invalid("It must have no fragment."));
        }
        let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query.to_string())));
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        if authority.contains('@') {
            return Err(invalid("It must have no user and no password."));
        }
        if path.split('/').any(|part| part == "." || part == "..") {
            return Err(invalid("Its path must not have the parts \".\" and \"..\"."));
        }
        let (host, port) = split_port(authority)?;
        let (host, address) = host_of(host)?;
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        Ok(Self { is_tls, host, address, port, path: path.trim_end_matches('/').to_string(), query })
    }

    /// The host as it stands in a URL.
    pub fn host_in_url(&self) -> String {
        if self.address.is_some_and(|address| address.is_ipv6()) {
            format!("[{}]", self.host)
        } else {
            self.host.clone()
        }
    }

    /// The URL with a further path.
    pub fn url(&self, further: &str) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{scheme}://{}:{}{}{further}{query}", self.host_in_url(), self.port, self.path)
    }
}

fn invalid(detail: &str) -> Error {
    Error::new(Kind::InvalidArgument, "the URL of the endpoint is not usable").detail(detail)
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>)> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (_, after) = rest.split_once(']').ok_or_else(|| invalid("A bracket is not closed."))?;
            let host = authority.get(..authority.len() - after.len()).unwrap_or_default();
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(invalid("Something other than a port follows its address.")),
            }
        }
        None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
    };
    let Some(port) = port else { return Ok((host, None)) };
    let is_plain = !port.is_empty() && !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit());
    let number = port.parse().ok().filter(|_| is_plain);
    number.map(|number| (host, Some(number))).ok_or_else(|| invalid("Its port is no number from 1 to 65535."))
}

fn host_of(text: &str) -> Result<(String, Option<IpAddr>)> {
    if let Some(inner) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        // The parser of the standard library knows no zones (fe80::1%eth0).
        let address: Ipv6Addr = inner.parse().map_err(|_| invalid("What is in brackets is no address of IPv6."))?;
        return Ok((address.to_string(), Some(address.into())));
    }
    let host = text.to_ascii_lowercase();
    let last = host.rsplit('.').next().unwrap_or_default();
    // What ends in a number is an address to some programs: it has to be one in the usual form. The parser of the
    // standard library takes four decimal numbers without leading zeros and nothing else.
    let is_numeric = last.starts_with("0x") || last.bytes().all(|byte| byte.is_ascii_digit());
    if is_numeric && !last.is_empty() {
        let address: Ipv4Addr = host.parse().map_err(|_| {
            invalid("Its host ends like an address, and is none in the usual form: four decimal numbers with points.")
        })?;
        return Ok((address.to_string(), Some(address.into())));
    }
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > MAX_HOST || !host.split('.').all(is_label) {
        return Err(invalid("Its host is no name of letters, digits and hyphens between single points."));
    }
    Ok((host, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        let target = Target::parse("https://API.Example.org/v1/").unwrap();
        assert_eq!((target.is_tls, target.host.as_str(), target.port), (true, "api.example.org", 443));
        assert_eq!((target.path.as_str(), target.query, target.address), ("/v1", None, None));
        assert_eq!(Target::parse("http://127.0.0.1:8000").unwrap().url("/x"), "http://127.0.0.1:8000/x");
        let target = Target::parse("http://[::1]:8000/a?api-version=1").unwrap();
        assert_eq!((target.host.as_str(), target.address), ("::1", Some(Ipv6Addr::LOCALHOST.into())));
        assert_eq!(target.url("/b"), "http://[::1]:8000/a/b?api-version=1");
        assert_eq!(Target::parse("https://xn--bcher-kva.example").unwrap().host, "xn--bcher-kva.example");
        assert_eq!(Target::parse("http://gpu_server:1").unwrap().host, "gpu_server");
    }

    #[test]
    fn an_address_has_one_spelling() {
        let others = [
            "2130706433",
            "017700000001",
            "0x7f000001",
            "0x7f.0.0.1",
            "0X7F.1",
            "127.1",
            "127.0.1",
            "0177.0.0.1",
            "127.0.0.01",
            "127.0.0.1.",
            "127.0.0.1..",
            "127.0.0.256",
            "127.0.0.1.5",
            "[::ffff:127.0.0.1%25eth0]",
            "[fe80::1%1]",
            "[127.0.0.1]",
            "[::1",
            "::1",
            "[::1]x",
            "[]",
            "1.2.3.0x4",
            "foo.123",
            "foo.0x1",
            "0",
            "%31%32%37.0.0.1",
            "127。0。0。1",
            "１２７.0.0.1",
            "①②⑦.0.0.1",
            "locаlhost",
            "localhost.",
            "a..b",
            ".a",
            "-a.b",
            "a-.b",
            "a b",
            "a\tb",
            "a\u{0}b",
            "",
        ];
        for host in others {
            assert_eq!(
                Target::parse(&format!("http://{host}/v1")).map_err(|error| error.kind),
                Err(Kind::InvalidArgument),
                "{host}"
            );
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let wrong = [
            "https://user@host/",
            "https://user:hunter2@host/",
            "https://good.example@evil.example/",
            "https://good.example\\@evil.example/",
            "https://host/#fragment",
            "https://host:0/",
            "https://host:65536/",
            "https://host:080/",
            "https://host:/",
            "https://host:1:2/",
            "https://host:a/",
            "https://host/../x",
            "https://host/a/./b",
            "ftp://host/",
            "HTTPS://host/",
            "https:/host",
            "//host",
            "host",
            "file:///etc/passwd",
            "https://host/\r\nX: y",
            "https://host/ x",
        ];
        for url in wrong {
            let error = Target::parse(url).unwrap_err();
            assert_eq!(error.kind, Kind::InvalidArgument, "{url}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        assert!(Target::parse(&format!("https://host/{}", "a".repeat(MAX_URL))).is_err());
        assert!(Target::parse(&format!("https://{}/", "a.".repeat(200) + "b")).is_err());
    }
}
