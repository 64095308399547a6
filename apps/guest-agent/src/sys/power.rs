//! The end of the machine.

use std::fs::File;
use std::os::fd::AsRawFd;

/// How the machine ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerAction {
    /// Off.
    Off,
    /// Boots again.
    Reboot,
}

/// Sends a signal to every process but this one.
pub fn signal_all(signal: i32) {
    // SAFETY: kill has no memory effects; -1 is every process but PID 1, who calls.
    unsafe { libc::kill(-1, signal) };
}

/// Writes everything back.
pub fn sync() {
    // SAFETY: sync takes nothing and always succeeds.
    unsafe { libc::sync() };
}

/// Freezes the file system a folder lies on: its journal is clean then, whoever still has files open there.
pub fn freeze(folder: &File) {
    /// `_IOWR('X', 119, int)` of linux/fs.h.
    const FIFREEZE: libc::Ioctl = 0xC004_5877u32 as libc::Ioctl;
    // SAFETY: the ioctl ignores its argument.
    unsafe { libc::ioctl(folder.as_raw_fd(), FIFREEZE, 0) };
}

/// Ends the machine; returns only if the kernel refuses.
pub fn reboot(action: PowerAction) {
    let command = match action {
        PowerAction::Off => libc::RB_POWER_OFF,
        PowerAction::Reboot => libc::RB_AUTOBOOT,
    };
    // SAFETY: reboot takes a number.
    unsafe { libc::reboot(command) };
}

/// Makes Ctrl-Alt-Delete a SIGINT to PID 1 instead of a reboot on the spot.
pub fn catch_ctrl_alt_delete() {
    // SAFETY: reboot takes a number.
    unsafe { libc::reboot(libc::RB_DISABLE_CAD) };
}
