//! Terminals.

use super::{SysError, check};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// Both ends of a new terminal.
pub struct Terminal {
    /// The agent's end, not blocking.
    pub master: OwnedFd,
    /// The process's end.
    pub slave: OwnedFd,
}

/// Opens a terminal of the given size, owned by `uid`.
pub fn open(rows: u16, columns: u16, uid: u32) -> Result<Terminal, SysError> {
    // SAFETY: posix_openpt, grantpt's siblings and the ioctls work on descriptors that this function owns.
    unsafe {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC | libc::O_NONBLOCK;
        let master = OwnedFd::from_raw_fd(check(libc::posix_openpt(flags), "open", || "/dev/ptmx".into())? as RawFd);
        let unlock: libc::c_int = 0;
        check(libc::ioctl(master.as_raw_fd(), libc::TIOCSPTLCK, &unlock), "TIOCSPTLCK", String::new)?;
        let peer = libc::ioctl(master.as_raw_fd(), libc::TIOCGPTPEER, libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
        let slave = OwnedFd::from_raw_fd(check(peer, "TIOCGPTPEER", String::new)? as RawFd);
        resize(&master, rows, columns)?;
        check(libc::fchown(slave.as_raw_fd(), uid, u32::MAX), "fchown", || format!("terminal {uid}"))?;
        Ok(Terminal { master, slave })
    }
}

/// Sets the size; the foreground process group hears of it by SIGWINCH.
pub fn resize(master: &impl AsRawFd, rows: u16, columns: u16) -> Result<(), SysError> {
    let size = libc::winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the ioctl reads one winsize.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCSWINSZ, &size) }, "TIOCSWINSZ", || format!("{rows}×{columns}")).map(drop)
}
