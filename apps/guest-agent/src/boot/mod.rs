//! From the kernel's first process to a root file system with a network: once, in order, before the runtime starts.

mod config;
mod disks;
mod etc;
mod mounts;
mod network;
mod root;

use crate::proto::GuestConfig;
use crate::sys::mount::load_module;
use crate::sys::{SysError, signal};
use crate::{console, sys};
use std::fs::File;
use std::os::fd::OwnedFd;

/// What the rest of the agent needs of a boot.
pub struct Booted {
    /// From the config disk.
    pub config: GuestConfig,
    /// What went wrong and was survived.
    pub warnings: Vec<String>,
    /// Folders of the writable file systems, to be frozen at the end.
    pub writable: Vec<File>,
    /// Signals to PID 1.
    pub signals: OwnedFd,
}

/// Boots. Fails only where there would be no guest: no root, no config disk.
pub fn boot() -> Result<Booted, SysError> {
    mounts::early()?;
    console::adopt();
    sys::power::catch_ctrl_alt_delete();
    let mut warnings = Vec::new();
    load_modules(&mut warnings);
    let config = config::read()?;
    let mut writable = root::assemble(&config, &mut warnings)?;
    mounts::late(&mut warnings);
    limits();
    etc::write(&config, &mut warnings);
    network::configure(&config.interfaces, &mut warnings);
    writable.extend(mounts::volumes(&config.mounts, &mut warnings));
    for warning in &warnings {
        console::say(warning);
    }
    Ok(Booted { config, warnings, writable, signals: signal::watch()? })
}

fn load_modules(warnings: &mut Vec<String>) {
    for name in std::fs::read_to_string("/modules/order").unwrap_or_default().lines() {
        let path = format!("/modules/{name}");
        if let Err(error) = load_module(&path) {
            warnings.push(error.to_string());
        }
        // The initramfs lies in memory: what is loaded is not needed twice.
        let _ = std::fs::remove_file(path);
    }
}

/// The kernel gives its first process limits of the nineties; images expect those of a container runtime.
fn limits() {
    let files = libc::rlimit { rlim_cur: 65_536, rlim_max: 1_048_576 };
    // SAFETY: setrlimit reads one structure of our own.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &files) };
    let _ = std::fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    let _ = std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
}

/// Adds the text of a failure that a guest can live with.
fn survive<T>(result: Result<T, SysError>, warnings: &mut Vec<String>) -> Option<T> {
    result.map_err(|error| warnings.push(error.to_string())).ok()
}
