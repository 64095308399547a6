//! Interfaces by their Ethernet address.

use super::survive;
use crate::proto::GuestInterface;
use crate::sys::SysError;
use crate::sys::netlink::Netlink;
use std::fs::{read_dir, read_to_string};
use std::io::{Error, ErrorKind};
use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long an interface may take to appear.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOPBACK: u32 = 1;

/// Takes the loopback up, then every interface: name, MTU, addresses, default routes.
pub fn configure(interfaces: &[GuestInterface], warnings: &mut Vec<String>) {
    let Some(netlink) = survive(Netlink::open(), warnings) else { return };
    survive(netlink.up(LOOPBACK), warnings);
    for interface in interfaces {
        survive(set(&netlink, interface, warnings), warnings);
    }
}

fn set(netlink: &Netlink, wanted: &GuestInterface, warnings: &mut Vec<String>) -> Result<(), SysError> {
    let (index, current) = wait_for(&wanted.mac_address)?;
    let name = if wanted.name.is_empty() { &current } else { &wanted.name };
    if *name != current {
        survive(netlink.rename(index, name), warnings);
    }
    if wanted.mtu > 0 {
        survive(netlink.set_mtu(index, wanted.mtu), warnings);
    }
    // Addresses are given, so nobody on the link is asked for or believed about them.
    for (setting, value) in [("accept_ra", "0"), ("accept_dad", "0"), ("autoconf", "0")] {
        let _ = std::fs::write(format!("/proc/sys/net/ipv6/conf/{name}/{setting}"), value);
    }
    netlink.up(index)?;
    for text in &wanted.addresses {
        let Some((address, prefix)) = parse(text) else {
            warnings.push(format!("address {text} of {name} is none"));
            continue;
        };
        survive(netlink.add_address(index, address, prefix), warnings);
    }
    for text in &wanted.gateways {
        match text.parse() {
            Ok(gateway) => drop(survive(netlink.add_default_route(index, gateway), warnings)),
            Err(_) => warnings.push(format!("gateway {text} of {name} is no address")),
        }
    }
    Ok(())
}

/// Index and name of the interface with that Ethernet address, once it is there.
fn wait_for(mac: &str) -> Result<(u32, String), SysError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = find(mac) {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(SysError::from_io("find interface", mac, Error::from(ErrorKind::NotFound)));
        }
        sleep(Duration::from_millis(5));
    }
}

fn find(mac: &str) -> Option<(u32, String)> {
    for entry in read_dir("/sys/class/net").ok()?.flatten() {
        let read = |file: &str| read_to_string(entry.path().join(file)).unwrap_or_default().trim().to_string();
        if read("address").eq_ignore_ascii_case(mac) {
            return Some((read("ifindex").parse().ok()?, entry.file_name().into_string().ok()?));
        }
    }
    None
}

/// An address with its prefix length; without one it stands for itself alone.
fn parse(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
    let address: IpAddr = address.parse().ok()?;
    let whole = if address.is_ipv4() { 32 } else { 128 };
    let prefix = if prefix.is_empty() { whole } else { prefix.parse().ok()? };
    (prefix <= whole).then_some((address, prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_carries_its_prefix_or_stands_alone() {
        assert_eq!(parse("10.94.0.5/24"), Some(("10.94.0.5".parse().unwrap(), 24)));
        assert_eq!(parse("fd00::5"), Some(("fd00::5".parse().unwrap(), 128)));
        assert_eq!(parse("10.94.0.5/33"), None);
        assert_eq!(parse("gateway"), None);
    }
}
