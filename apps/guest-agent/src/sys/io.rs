//! Descriptors that the one-threaded runtime waits for.

use super::{SysError, check};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A pipe end, terminal or other descriptor that never blocks.
pub struct AsyncFile(AsyncFd<OwnedFd>);

impl AsyncFile {
    /// Takes a descriptor over and makes it non-blocking.
    pub fn new(fd: OwnedFd) -> io::Result<Self> {
        // SAFETY: fcntl on a descriptor that we own.
        unsafe {
            let flags = libc::fcntl(fd.as_raw_fd(), libc::F_GETFL);
            if flags == -1 || libc::fcntl(fd.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) == -1 {
                return Err(io::Error::last_os_error());
            }
        }
        watched(fd).map(Self)
    }

    /// Reads what is there, waiting until something is; 0 is the end.
    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.async_io(Interest::READABLE, |fd| read(fd.as_raw_fd(), buffer)).await
    }

    /// Reads what is there by `read`, waiting until something is; an empty chunk is the end.
    pub async fn read_chunk(&self, read: impl Fn(RawFd) -> io::Result<Vec<u8>>) -> io::Result<Vec<u8>> {
        self.0.async_io(Interest::READABLE, |fd| read(fd.as_raw_fd())).await
    }

    /// Writes all of `bytes`.
    pub async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = self.0.async_io(Interest::WRITABLE, |fd| write(fd.as_raw_fd(), bytes)).await?;
            bytes = &bytes[written..];
        }
        Ok(())
    }

    /// Bytes that a read would give at once.
    pub fn available(&self) -> usize {
        let mut count: libc::c_int = 0;
        // SAFETY: the ioctl writes one int.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::FIONREAD, &mut count) };
        if result == -1 { 0 } else { count.max(0) as usize }
    }
}

impl AsRawFd for AsyncFile {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

/// Registers a descriptor with the runtime, for reading and writing.
pub fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd gives the same descriptor for as long as it lives and closes it only when the AsyncFd drops it.
    Ok(unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE | Interest::WRITABLE) }?)
}

/// read(2).
pub fn read(fd: RawFd, buffer: &mut [u8]) -> io::Result<usize> {
    // SAFETY: the kernel writes at most the buffer's length.
    match unsafe { libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len()) } {
        -1 => Err(io::Error::last_os_error()),
        count => Ok(count as usize),
    }
}

/// write(2).
pub fn write(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the kernel reads at most the slice's length.
    match unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) } {
        -1 => Err(io::Error::last_os_error()),
        count => Ok(count as usize),
    }
}

/// Gives a pipe end to a user, who may then open it by name (/dev/stdout) as under a container runtime.
pub fn give(fd: &impl AsRawFd, uid: u32) -> Result<(), SysError> {
    // SAFETY: fchown takes numbers.
    check(unsafe { libc::fchown(fd.as_raw_fd(), uid, u32::MAX) }, "fchown", || uid.to_string()).map(drop)
}

/// A pipe: its reading and its writing end.
pub fn pipe() -> Result<(OwnedFd, OwnedFd), SysError> {
    let mut fds = [0; 2];
    // SAFETY: the kernel writes two descriptors, which nobody else owns.
    unsafe {
        check(libc::pipe2(fds.as_mut_ptr(), libc::O_CLOEXEC), "pipe2", String::new)?;
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}
