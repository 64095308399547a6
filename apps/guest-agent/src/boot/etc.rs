//! Files below /etc that name this guest and its resolvers.

use super::survive;
use crate::proto::GuestConfig;
use crate::sys::mount::make_folder;
use crate::sys::{SysError, check};
use std::path::Path;

/// Sets the host name and writes /etc/hostname, /etc/hosts and, when there are resolvers, /etc/resolv.conf.
pub fn write(config: &GuestConfig, warnings: &mut Vec<String>) {
    if !config.hostname.is_empty() {
        survive(set_hostname(&config.hostname), warnings);
        survive(replace("/etc/hostname", &format!("{}\n", config.hostname)), warnings);
    }
    survive(replace("/etc/hosts", &hosts(config)), warnings);
    if !config.dns_servers.is_empty() {
        survive(replace("/etc/resolv.conf", &resolv_conf(config)), warnings);
    }
}

fn set_hostname(name: &str) -> Result<(), SysError> {
    // SAFETY: the kernel reads the given length of a live string.
    check(unsafe { libc::sethostname(name.as_ptr().cast(), name.len()) }, "sethostname", || name.into()).map(drop)
}

/// Writes a file anew. An image's own may be a link to a place that does not exist yet (systemd-resolved's), so it is removed first.
fn replace(path: &str, content: &str) -> Result<(), SysError> {
    if let Some(folder) = Path::new(path).parent() {
        make_folder(folder)?;
    }
    let _ = std::fs::remove_file(path);
    std::fs::write(path, content).map_err(|error| SysError::from_io("write", path, error))
}

fn hosts(config: &GuestConfig) -> String {
    let mut text = String::from("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n");
    let addresses: Vec<_> = config.interfaces.iter().flat_map(|interface| &interface.addresses).collect();
    if config.hostname.is_empty() {
        return text;
    }
    for address in &addresses {
        text.push_str(&format!("{} {}\n", address.split('/').next().unwrap_or_default(), config.hostname));
    }
    if addresses.is_empty() {
        text.push_str(&format!("127.0.1.1 {}\n", config.hostname));
    }
    text
}

fn resolv_conf(config: &GuestConfig) -> String {
    let mut text = String::new();
    if !config.dns_search.is_empty() {
        text.push_str(&format!("search {}\n", config.dns_search.join(" ")));
    }
    for server in &config.dns_servers {
        text.push_str(&format!("nameserver {server}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::GuestInterface;

    fn guest(addresses: &[&str]) -> GuestConfig {
        let interface = GuestInterface { addresses: addresses.iter().map(|text| text.to_string()).collect(), ..Default::default() };
        GuestConfig { hostname: "web".into(), interfaces: vec![interface], ..Default::default() }
    }

    #[test]
    fn the_host_name_stands_for_the_guests_addresses() {
        assert!(hosts(&guest(&["10.94.0.5/24", "fd00::5/128"])).ends_with("10.94.0.5 web\nfd00::5 web\n"));
    }

    #[test]
    fn without_an_address_the_host_name_still_resolves() {
        assert!(hosts(&guest(&[])).ends_with("127.0.1.1 web\n"));
    }

    #[test]
    fn resolvers_and_search_domains_are_written_as_resolv_conf_wants_them() {
        let config = GuestConfig { dns_servers: vec!["10.94.0.1".into()], dns_search: vec!["a".into(), "b".into()], ..Default::default() };
        assert_eq!(resolv_conf(&config), "search a b\nnameserver 10.94.0.1\n");
    }
}
