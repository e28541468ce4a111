//! Which addresses a connection may go to.
//!
//! A name that a stranger controls may point anywhere, also at this machine, its network, or the service that hands out the
//! credentials of a virtual machine. So what may be reached is a list, and everything else is refused. The registries are
//! those of IANA for special-purpose addresses (RFC 6890 and what updates it).

use std::fmt::{self, Display, Formatter};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Zone {
    /// The public internet.
    Public,
    /// This machine.
    Loopback,
    /// A private network: RFC 1918, and unique local addresses of IPv6.
    Private,
    /// Never connected to, for this reason.
    Forbidden(&'static str),
}

/// An address that is refused, and why.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused {
    /// The address.
    pub address: IpAddr,
    /// Why.
    pub reason: &'static str,
}

impl Display for Refused {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} is {}.", self.address, self.reason)
    }
}

/// Services that hand out credentials to whoever can connect, in networks that a flag could open.
const METADATA: &str = "an address of a metadata service";

/// Networks of IPv4 that are not public, as address, length of the prefix and what they are. The first that fits counts.
const V4: [([u8; 4], u32, Zone); 22] = [
    ([0, 0, 0, 0], 8, Zone::Forbidden("an address of no host")),
    ([10, 0, 0, 0], 8, Zone::Private),
    ([100, 100, 100, 200], 32, Zone::Forbidden(METADATA)),
    ([100, 64, 0, 0], 10, Zone::Forbidden("a shared address of a carrier")),
    ([127, 0, 0, 0], 8, Zone::Loopback),
    ([168, 63, 129, 16], 32, Zone::Forbidden(METADATA)),
    ([169, 254, 169, 254], 32, Zone::Forbidden(METADATA)),
    ([169, 254, 0, 0], 16, Zone::Forbidden("a link-local address")),
    ([172, 16, 0, 0], 12, Zone::Private),
    ([192, 0, 0, 0], 24, Zone::Forbidden("a reserved address")),
    ([192, 0, 2, 0], 24, Zone::Forbidden("an address for documentation")),
    ([192, 31, 196, 0], 24, Zone::Forbidden("a reserved address")),
    ([192, 52, 193, 0], 24, Zone::Forbidden("a reserved address")),
    ([192, 88, 99, 0], 24, Zone::Forbidden("a relay of 6to4")),
    ([192, 168, 0, 0], 16, Zone::Private),
    ([192, 175, 48, 0], 24, Zone::Forbidden("a reserved address")),
    ([198, 18, 0, 0], 15, Zone::Forbidden("an address for benchmarks")),
    ([198, 51, 100, 0], 24, Zone::Forbidden("an address for documentation")),
    ([203, 0, 113, 0], 24, Zone::Forbidden("an address for documentation")),
    ([224, 0, 0, 0], 4, Zone::Forbidden("a multicast address")),
    ([255, 255, 255, 255], 32, Zone::Forbidden("a broadcast address")),
    ([240, 0, 0, 0], 4, Zone::Forbidden("a reserved address")),
];

/// The same of IPv6, as the first four groups. What is in none of them and not in 2000::/3 is reserved.
const V6: [([u16; 4], u32, Zone); 11] = [
    ([0x0100, 0, 0, 0], 64, Zone::Forbidden("an address of no host")),
    ([0x2001, 0, 0, 0], 32, Zone::Forbidden("a tunnel of Teredo")),
    ([0x2001, 0, 0, 0], 23, Zone::Forbidden("a reserved address")),
    ([0x2001, 0x0db8, 0, 0], 32, Zone::Forbidden("an address for documentation")),
    ([0x2002, 0, 0, 0], 16, Zone::Forbidden("a tunnel of 6to4")),
    ([0x3fff, 0, 0, 0], 20, Zone::Forbidden("an address for documentation")),
    ([0xfd00, 0x0ec2, 0, 0], 32, Zone::Forbidden(METADATA)),
    ([0xfd20, 0x00ce, 0, 0], 48, Zone::Forbidden(METADATA)),
    ([0xfc00, 0, 0, 0], 7, Zone::Private),
    ([0xfe80, 0, 0, 0], 10, Zone::Forbidden("a link-local address")),
    ([0xff00, 0, 0, 0], 8, Zone::Forbidden("a multicast address")),
];

/// What an address belongs to.
pub fn zone(address: IpAddr) -> Zone {
    match address {
        IpAddr::V4(address) => zone_v4(address),
        IpAddr::V6(address) => zone_v6(address),
    }
}

fn zone_v4(address: Ipv4Addr) -> Zone {
    let bits = u32::from(address);
    let is_in = |network: [u8; 4], length: u32| {
        let mask = u32::MAX << (32 - length);
        bits & mask == u32::from_be_bytes(network) & mask
    };
    V4.iter().find(|(network, length, _)| is_in(*network, *length)).map_or(Zone::Public, |(_, _, zone)| *zone)
}

fn zone_v6(address: Ipv6Addr) -> Zone {
    let groups = address.segments();
    let embedded = Ipv4Addr::from(((u32::from(groups[6])) << 16) | u32::from(groups[7]));
    if address == Ipv6Addr::LOCALHOST {
        return Zone::Loopback;
    }
    match groups {
        [0, 0, 0, 0, 0, 0xffff, ..] => return Zone::Forbidden("an address of IPv4 in the form of IPv6"),
        [0, 0, 0, 0, 0, 0, ..] => return Zone::Forbidden("an address of no host"),
        // NAT64, which networks without IPv4 reach public addresses by.
        [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            return match zone_v4(embedded) {
                Zone::Public => Zone::Public,
                _ => Zone::Forbidden("an address by NAT64 that is not public"),
            };
        }
        _ => {}
    }
    let joined = |groups: [u16; 4]| groups.iter().fold(0_u64, |bits, group| (bits << 16) | u64::from(*group));
    let bits = joined([groups[0], groups[1], groups[2], groups[3]]);
    let is_in = |network: [u16; 4], length: u32| {
        let mask = u64::MAX << (64 - length);
        bits & mask == joined(network) & mask
    };
    let found = V6.iter().find(|(network, length, _)| is_in(*network, *length)).map(|(_, _, zone)| *zone);
    let is_global = groups[0] & 0xe000 == 0x2000;
    found.unwrap_or(if is_global { Zone::Public } else { Zone::Forbidden("a reserved address") })
}

/// Checks that an address may be connected to.
///
/// # Errors
/// The address with the reason why not.
pub fn check(address: IpAddr, allow_loopback: bool, allow_private: bool) -> Result<(), Refused> {
    let reason = match zone(address) {
        Zone::Public => return Ok(()),
        Zone::Loopback if allow_loopback => return Ok(()),
        Zone::Private if allow_private => return Ok(()),
        Zone::Loopback => "a loopback address, which the endpoint does not allow",
        Zone::Private => "a private address, which the endpoint does not allow",
        Zone::Forbidden(reason) => reason,
    };
    Err(Refused { address, reason })
}

/// Checks all addresses of a name. One that is refused makes all of them useless: whoever answers with it cannot be trusted
/// with the others, and an answer that changes between two look-ups is an attack.
///
/// # Errors
/// The first address that is refused.
pub fn check_all(addresses: &[IpAddr], allow_loopback: bool, allow_private: bool) -> Result<(), Refused> {
    addresses.iter().try_for_each(|address| check(*address, allow_loopback, allow_private))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn public_addresses_need_no_permission() {
        let public = "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 168.63.129.15 \
             169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.0 192.167.255.255 192.169.0.0 198.17.255.255 \
             198.20.0.0 203.0.112.255 203.0.114.0 223.255.255.255 2606:4700::1111 2001:4860:4860::8888 2a00:1450::1 \
             2003::1 3fff:1000:: 2001:200::1 64:ff9b::8.8.8.8";
        for text in public.split_whitespace() {
            assert_eq!(check(address(text), false, false), Ok(()), "{text}");
        }
    }

    #[test]
    fn loopback_and_private_addresses_need_theirs() {
        for text in "127.0.0.1 127.255.255.255 127.0.0.53 ::1".split_whitespace() {
            assert_eq!(zone(address(text)), Zone::Loopback, "{text}");
            assert_eq!(check(address(text), true, false), Ok(()), "{text}");
            assert!(check(address(text), false, true).is_err(), "{text}");
        }
        let private =
            "10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 fc00::1 fdff::1 fd00::1";
        for text in private.split_whitespace() {
            assert_eq!(zone(address(text)), Zone::Private, "{text}");
            assert_eq!(check(address(text), false, true), Ok(()), "{text}");
            assert!(check(address(text), true, false).is_err(), "{text}");
        }
    }

    #[test]
    fn the_rest_is_refused_whatever_is_allowed() {
        let never = "0.0.0.0 0.1.2.3 100.64.0.0 100.127.255.255 100.100.100.200 168.63.129.16 169.254.0.1 169.254.169.254 \
             192.0.0.1 192.0.0.192 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 \
             239.255.255.255 240.0.0.1 255.255.255.255 :: ::2 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:169.254.169.254 \
             64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b:1::8.8.8.8 100::1 2001::1 2001:2::1 2001:20::1 \
             2001:db8::1 2002:7f00:1::1 2002:a9fe:a9fe:: 2002:808:808::1 3fff::1 fd00:ec2::254 fd20:ce::254 fe80::1 febf::1 \
             fec0::1 ff02::1 4000::1 5f00::1 0:0:0:1::1";
        for text in never.split_whitespace() {
            assert!(check(address(text), true, true).is_err(), "{text}");
            assert!(matches!(zone(address(text)), Zone::Forbidden(_)), "{text}");
        }
    }

    #[test]
    fn one_address_spoils_all() {
        let all = [address("8.8.8.8"), address("2606:4700::1111"), address("10.0.0.1")];
        assert_eq!(check_all(&all[..2], false, false), Ok(()));
        assert_eq!(check_all(&all, false, false).map_err(|refused| refused.address), Err(all[2]));
        assert_eq!(check_all(&all, false, true), Ok(()));
    }

    proptest! {
        /// No form of IPv6 leads to an address of IPv4 that is refused by itself.
        #[test]
        fn no_form_of_a_forbidden_address_is_allowed(bits in any::<u32>(), middle in any::<u16>()) {
            let [high, low] = [(bits >> 16) as u16, bits as u16];
            let forms = [
                Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, high, low),
                Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x64, 0xff9b, 1, middle, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, middle, 0, 0, 0, 1),
                Ipv6Addr::new(0x2001, 0, middle, middle, 0, 0, !high, !low),
                Ipv6Addr::new(0, 0, 0, 0, 0, 0, high, low.max(2)),
            ];
            let plain = check(Ipv4Addr::from(bits).into(), false, false);
            for form in forms {
                if check(form.into(), true, true).is_ok() {
                    prop_assert!(plain.is_ok(), "{} leads to {}", form, Ipv4Addr::from(bits));
                }
            }
        }
    }
}
