//! Links, addresses and routes over rtnetlink (rtnetlink(7)).

use super::{SysError, check};
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

const REQUEST_ACK: u16 = (libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16;
const CREATE: u16 = REQUEST_ACK | (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;

/// linux/rtnetlink.h
const RTNH_F_ONLINK: u32 = 4;

/// A conversation with the kernel's routing.
pub struct Netlink(OwnedFd);

impl Netlink {
    /// Opens one.
    pub fn open() -> Result<Self, SysError> {
        // SAFETY: socket takes numbers; the descriptor is new.
        unsafe {
            let fd = libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE);
            check(fd, "socket", || "AF_NETLINK".into())?;
            Ok(Self(OwnedFd::from_raw_fd(fd)))
        }
    }

    /// Names a link, which must be down.
    pub fn rename(&self, index: u32, name: &str) -> Result<(), SysError> {
        let attribute = attribute(libc::IFLA_IFNAME, format!("{name}\0").as_bytes());
        self.ask(libc::RTM_NEWLINK, REQUEST_ACK, &[link(index, 0), attribute].concat(), || format!("rename {index} {name}"))
    }

    /// Sets a link's MTU.
    pub fn set_mtu(&self, index: u32, mtu: u32) -> Result<(), SysError> {
        let attribute = attribute(libc::IFLA_MTU, &mtu.to_ne_bytes());
        self.ask(libc::RTM_NEWLINK, REQUEST_ACK, &[link(index, 0), attribute].concat(), || format!("mtu {index} {mtu}"))
    }

    /// Takes a link up.
    pub fn up(&self, index: u32) -> Result<(), SysError> {
        self.ask(libc::RTM_NEWLINK, REQUEST_ACK, &link(index, libc::IFF_UP as u32), || format!("up {index}"))
    }

    /// Gives a link an address. IPv6 addresses are used at once: the host's rules make them unique, so nobody is asked.
    pub fn add_address(&self, index: u32, address: IpAddr, prefix: u8) -> Result<(), SysError> {
        let flags = if address.is_ipv6() { libc::IFA_F_NODAD as u8 } else { 0 };
        let mut body = vec![family(address), prefix, flags, 0];
        body.extend(index.to_ne_bytes());
        body.extend(attribute(libc::IFA_LOCAL, &octets(address)));
        body.extend(attribute(libc::IFA_ADDRESS, &octets(address)));
        self.ask(libc::RTM_NEWADDR, CREATE, &body, || format!("address {index} {address}/{prefix}"))
    }

    /// Sets the default route; the gateway is taken to be on the link even when no prefix covers it.
    pub fn add_default_route(&self, index: u32, gateway: IpAddr) -> Result<(), SysError> {
        let mut body = vec![family(gateway), 0, 0, 0, libc::RT_TABLE_MAIN, libc::RTPROT_STATIC, libc::RT_SCOPE_UNIVERSE, libc::RTN_UNICAST];
        body.extend((RTNH_F_ONLINK).to_ne_bytes());
        body.extend(attribute(libc::RTA_GATEWAY, &octets(gateway)));
        body.extend(attribute(libc::RTA_OIF, &index.to_ne_bytes()));
        self.ask(libc::RTM_NEWROUTE, CREATE, &body, || format!("default route {index} {gateway}"))
    }

    fn ask(&self, kind: u16, flags: u16, body: &[u8], what: impl Fn() -> String) -> Result<(), SysError> {
        let message = message(kind, flags, body);
        let mut answer = [0u8; 1024];
        // SAFETY: both buffers live until the calls return, with their true lengths.
        let received = unsafe {
            check(libc::send(self.0.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) as i64, "netlink send", &what)?;
            check(libc::recv(self.0.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) as i64, "netlink recv", &what)?
        };
        match error_of(&answer[..received as usize]) {
            0 => Ok(()),
            errno => Err(SysError::from_io("netlink", what(), std::io::Error::from_raw_os_error(errno))),
        }
    }
}

fn message(kind: u16, flags: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16 + body.len());
    bytes.extend((16 + body.len() as u32).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend(body);
    bytes
}

fn link(index: u32, flags: u32) -> Vec<u8> {
    let mut body = vec![0; 4];
    body.extend(index.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body.extend(flags.to_ne_bytes());
    body
}

fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8 + value.len());
    bytes.extend((4 + value.len() as u16).to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

/// Errno in an NLMSG_ERROR message; 0 is the acknowledgement. Anything else is no answer of the kernel's.
fn error_of(answer: &[u8]) -> i32 {
    let field = |at: usize| answer.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (field(4).map(|kind| kind & 0xffff), field(16)) {
        (Some(libc::NLMSG_ERROR), Some(code)) => -code,
        _ => libc::EPROTO,
    }
}

fn family(address: IpAddr) -> u8 {
    if address.is_ipv4() { libc::AF_INET as u8 } else { libc::AF_INET6 as u8 }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_says_its_length_and_is_padded_to_four() {
        assert_eq!(attribute(3, b"eth0\0"), [&9u16.to_ne_bytes()[..], &3u16.to_ne_bytes(), b"eth0\0\0\0\0"].concat());
    }

    #[test]
    fn a_refusal_is_its_errno_and_an_acknowledgement_none() {
        let answer = |code: i32| message(libc::NLMSG_ERROR as u16, 0, &code.to_ne_bytes());
        assert_eq!(error_of(&answer(0)), 0);
        assert_eq!(error_of(&answer(-libc::EEXIST)), libc::EEXIST);
        assert_eq!(error_of(&[]), libc::EPROTO);
    }
}
