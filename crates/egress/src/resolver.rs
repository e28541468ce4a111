//! Finds the addresses of a host: in the file of hosts, or by asking name servers over TCP. Our own, so that every address is
//! seen before one is connected to, that a look-up ends with whoever waits for it, and that no other kind of socket is needed.

use crate::caller::Caller;
use crate::dns::{self, Reply};
use crate::transport;
use socle_core::endpoint::url::Target;
use socle_core::{Error, Kind, Result};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Where name servers and search domains of the machine are.
pub const RESOLVER_FILE: &str = "/etc/resolv.conf";
/// Names that no server is asked for.
pub const HOSTS_FILE: &str = "/etc/hosts";

const DNS_PORT: u16 = 53;

/// Longest wait for a name server, before the next one is asked.
const PATIENCE: Duration = Duration::from_secs(3);

/// Most name servers that are asked, as the resolver of the C library does.
const MAX_SERVERS: usize = 3;

/// Whom to ask.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NameServers {
    servers: Vec<SocketAddr>,
    /// Domains that are tried after a name, or before it if it has no point.
    search: Vec<String>,
}

impl NameServers {
    /// Those of the setting, or else of the file of the machine.
    ///
    /// # Errors
    /// `InvalidArgument` for a setting that is no list of addresses; `UnreadableFile`.
    pub fn find(setting: &str) -> Result<Self> {
        if !setting.trim().is_empty() {
            return Self::of_setting(setting);
        }
        let text = std::fs::read_to_string(RESOLVER_FILE).map_err(|error| {
            Error::new(Kind::UnreadableFile, format!("could not read \"{RESOLVER_FILE}\"")).detail(error.to_string())
        })?;
        Ok(Self::of_file(&text))
    }

    fn of_setting(setting: &str) -> Result<Self> {
        let address = |text: &str| {
            let text = text.trim();
            text.parse().or_else(|_| text.parse().map(|address: IpAddr| SocketAddr::new(address, DNS_PORT)))
        };
        let servers = setting.split(',').map(address).collect::<std::result::Result<_, _>>().map_err(|_| {
            Error::new(Kind::InvalidArgument, "socle.egress_name_servers is not a list of addresses").hint(
                "Write addresses with commas between them, with a port or without: 192.0.2.53, [2001:db8::53]:5353.",
            )
        })?;
        Ok(Self { servers, search: Vec::new() })
    }

    fn of_file(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines() {
            let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
            match words.next() {
                Some("nameserver") => {
                    // A zone, as in fe80::1%eth0, is not understood: such a server is left out.
                    let server = words.next().and_then(|word| word.parse().ok());
                    found.servers.extend(server.map(|address: IpAddr| SocketAddr::new(address, DNS_PORT)));
                }
                Some("search" | "domain") => found.search = words.map(|word| word.trim_matches('.').into()).collect(),
                _ => {}
            }
        }
        found.servers.truncate(MAX_SERVERS);
        if found.servers.is_empty() {
            // As resolv.conf(5) says.
            found.servers.push(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), DNS_PORT));
        }
        found
    }

    /// The ports that are connected to.
    pub fn ports(&self) -> impl Iterator<Item = u16> {
        self.servers.iter().map(SocketAddr::port)
    }

    /// All addresses of the host of a target.
    ///
    /// # Errors
    /// `CannotConnect` when it has none, or nobody can say.
    pub fn resolve(&self, target: &Target, caller: &Caller, deadline: Instant) -> Result<Vec<IpAddr>> {
        if let Some(address) = target.address {
            return Ok(vec![address]);
        }
        let host = &target.host;
        // Never asked for (RFC 6761).
        if host == "localhost" || host.ends_with(".localhost") {
            return Ok(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]);
        }
        let in_file = of_hosts_file(&std::fs::read_to_string(HOSTS_FILE).unwrap_or_default(), host);
        if !in_file.is_empty() {
            return Ok(in_file);
        }
        let extended = self.search.iter().map(|domain| format!("{host}.{domain}"));
        let mut names: Vec<String> = extended.collect();
        names.insert(if host.contains('.') { 0 } else { names.len() }, host.clone());
        for name in names {
            let found = self.look_up(&name, caller, deadline).map_err(|error| unresolved(host, &error.to_string()))?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Err(unresolved(host, "There is no such name, or it has no address."))
    }

    fn look_up(&self, name: &str, caller: &Caller, deadline: Instant) -> io::Result<Vec<IpAddr>> {
        let mut last = io::Error::from(ErrorKind::NotFound);
        for server in &self.servers {
            match ask(*server, name, caller, deadline.min(Instant::now() + PATIENCE)) {
                Ok(found) => return Ok(found),
                Err(error) if caller.stopped().is_some() => return Err(error),
                Err(error) => last = io::Error::new(error.kind(), format!("Name server {server}: {error}.")),
            }
        }
        Err(last)
    }
}

fn unresolved(host: &str, detail: &str) -> Error {
    Error::new(Kind::CannotConnect, format!("could not find the address of host \"{host}\""))
        .detail(detail)
        .hint("Name servers are those of /etc/resolv.conf or of socle.egress_name_servers; they are asked over TCP.")
}

/// Asks one server for both kinds of addresses.
fn ask(server: SocketAddr, name: &str, caller: &Caller, until: Instant) -> io::Result<Vec<IpAddr>> {
    let stream = transport::open(&[server], caller, until)?;
    let mut found = Vec::new();
    for record_type in [dns::A, dns::AAAA] {
        // On a connection of its own nobody can answer in its place: the number need not be secret.
        transport::write_all(&stream, &dns::question(record_type, name, record_type), caller, until)?;
        let mut length = [0; 2];
        read_exact(&stream, &mut length, caller, until)?;
        let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
        read_exact(&stream, &mut message, caller, until)?;
        match dns::reply(&message, record_type, record_type) {
            Reply::Addresses(addresses) => found.extend(addresses),
            Reply::NoSuchName => return Ok(Vec::new()),
            Reply::Unusable => return Err(io::Error::new(ErrorKind::InvalidData, "it cannot say")),
        }
    }
    Ok(found)
}

fn read_exact(stream: &TcpStream, mut bytes: &mut [u8], caller: &Caller, until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        match transport::read_within(stream, bytes, caller, until)? {
            0 => return Err(ErrorKind::UnexpectedEof.into()),
            count => bytes = bytes.get_mut(count..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// The addresses of a host in the file of hosts.
fn of_hosts_file(text: &str, host: &str) -> Vec<IpAddr> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let found = lines.filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let address = words.next()?.parse().ok()?;
        words.any(|word| word.eq_ignore_ascii_case(host)).then_some(address)
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_machine_are_read() {
        let text = "# comment\nnameserver 192.0.2.1\nnameserver\tfe80::1%eth0\nnameserver 2001:db8::1\nsearch a.example b.example.\noptions edns0\n";
        let found = NameServers::of_file(text);
        assert_eq!(found.servers, ["192.0.2.1:53".parse().unwrap(), "[2001:db8::1]:53".parse().unwrap()]);
        assert_eq!(found.search, ["a.example", "b.example"]);
        assert_eq!(NameServers::of_file("").servers, ["127.0.0.1:53".parse().unwrap()]);
        let hosts = "127.0.0.1 localhost\n10.0.0.1 gpu GPU.lan # the big one\n::1 gpu\n10.0.0.2 other #gpu\n";
        let expected: Vec<IpAddr> = vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(of_hosts_file(hosts, "gpu"), expected);
        assert_eq!(of_hosts_file(hosts, "gpu.lan"), expected[..1]);
        assert_eq!(of_hosts_file(hosts, "none"), Vec::<IpAddr>::new());
    }

    #[test]
    fn a_setting_has_addresses_with_or_without_ports() {
        let found = NameServers::of_setting("127.0.0.1:5353, 192.0.2.1,[2001:db8::1]:54,2001:db8::2").unwrap();
        let ports: Vec<u16> = found.ports().collect();
        assert_eq!(ports, [5353, 53, 54, 53]);
        for wrong in ["a", "1.2.3", "1.2.3.4:x", "1.2.3.4,,"] {
            assert_eq!(
                NameServers::of_setting(wrong).map_err(|error| error.kind),
                Err(Kind::InvalidArgument),
                "{wrong}"
            );
        }
    }
}
