//! Signals to PID 1, as a descriptor.

use super::{SysError, check};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Signals that init commands of images send to PID 1.
pub const WATCHED: [i32; 6] = [libc::SIGTERM, libc::SIGINT, libc::SIGUSR1, libc::SIGUSR2, libc::SIGPWR, libc::SIGHUP];

/// Blocks the watched signals in this thread and all it starts, and gives a descriptor to read them from.
pub fn watch() -> Result<OwnedFd, SysError> {
    // SAFETY: an all-zero set is initialised by sigemptyset before use; the calls touch only that set.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut set);
        for signal in WATCHED {
            libc::sigaddset(&mut set, signal);
        }
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        let fd = check(libc::signalfd(-1, &set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK), "signalfd", String::new)?;
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}

/// The next signal, or none when there is none.
pub fn read(fd: &impl AsRawFd) -> std::io::Result<i32> {
    // SAFETY: all-zero is a valid signalfd_siginfo; the kernel writes at most its size.
    unsafe {
        let mut info: libc::signalfd_siginfo = std::mem::zeroed();
        let size = std::mem::size_of_val(&info);
        match libc::read(fd.as_raw_fd(), (&raw mut info).cast(), size) {
            -1 => Err(std::io::Error::last_os_error()),
            _ => Ok(info.ssi_signo as i32),
        }
    }
}
