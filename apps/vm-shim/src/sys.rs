//! System calls as safe functions. A failure names the call and what it was called with.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A system call that failed.
#[derive(Debug)]
pub struct SysError {
    call: &'static str,
    operands: String,
    source: io::Error,
}

impl SysError {
    /// A failure that the standard library reported.
    pub fn new(call: &'static str, operands: impl fmt::Display, source: io::Error) -> Self {
        Self { call, operands: operands.to_string(), source }
    }

    /// The failure that errno holds now.
    pub fn last(call: &'static str, operands: impl fmt::Display) -> Self {
        Self::new(call, operands, io::Error::last_os_error())
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.call, self.operands, self.source)
    }
}

impl std::error::Error for SysError {}

/// Turns the -1 of a system call into an error.
pub fn check(result: impl Into<i64>, call: &'static str, operands: impl fmt::Display) -> Result<i64, SysError> {
    let result = result.into();
    if result == -1 { Err(SysError::last(call, operands)) } else { Ok(result) }
}

/// A pipe, closed on exec: its reading and its writing end.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), SysError> {
    let mut fds = [0; 2];
    // SAFETY: the kernel writes two descriptors, which nobody else owns.
    unsafe {
        check(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), "pipe2", "")?;
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// The same file under a number of at least `least`, closed on exec.
pub fn duplicate_above(fd: &impl AsRawFd, least: RawFd) -> Result<OwnedFd, SysError> {
    // SAFETY: fcntl on an open descriptor; the new one is ours.
    unsafe {
        let new = libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, least);
        Ok(OwnedFd::from_raw_fd(check(new, "F_DUPFD_CLOEXEC", fd.as_raw_fd())? as RawFd))
    }
}

/// A descriptor of a process, which stays that process's whatever becomes of its number.
pub fn pidfd(pid: i32) -> Result<OwnedFd, SysError> {
    // SAFETY: pidfd_open takes numbers; the descriptor is new.
    unsafe {
        let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
        Ok(OwnedFd::from_raw_fd(check(fd, "pidfd_open", pid)? as RawFd))
    }
}

/// Signals the process of a pidfd.
pub fn signal(pidfd: &OwnedFd, signal: i32) -> Result<(), SysError> {
    // SAFETY: a pidfd, a number and no siginfo.
    let result = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0) };
    check(result, "pidfd_send_signal", signal).map(drop)
}

/// Waits for `events` on a descriptor, at most `timeout_ms` (-1: for ever); gives what happened, 0 for nothing.
pub fn poll(fd: &impl AsRawFd, events: i16, timeout_ms: i32) -> i16 {
    let mut entry = libc::pollfd { fd: fd.as_raw_fd(), events, revents: 0 };
    // SAFETY: one pollfd of our own.
    if unsafe { libc::poll(&mut entry, 1, timeout_ms) } > 0 { entry.revents } else { 0 }
}

/// Ignores a signal in this process. What it starts resets it.
pub fn ignore(signal: i32) {
    // SAFETY: SIG_IGN is no handler of ours.
    unsafe { libc::signal(signal, libc::SIG_IGN) };
}
