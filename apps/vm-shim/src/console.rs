//! The serial console: kept in the ring, readable by many, writable.

use crate::ring::Ring;
use crate::sys::poll;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const CHUNK_BYTES: usize = 16 << 10;
/// How long a guest may take to make room for input.
const INPUT_PATIENCE_MS: i32 = 1_000;

/// The console.
pub struct Console {
    ring: Mutex<Ring>,
    grown: Condvar,
    stream: Option<UnixStream>,
}

impl Console {
    /// A console whose other end is `stream`; none: what was kept can be read, and that is all.
    pub fn new(ring: Ring, stream: Option<UnixStream>) -> Self {
        Self { ring: Mutex::new(ring), grown: Condvar::new(), stream }
    }

    /// Keeps what comes until the VMM closes its end. The guest never waits for a reader.
    pub fn keep(&self) {
        let Some(mut stream) = self.stream.as_ref() else { return };
        let mut buffer = vec![0; CHUNK_BYTES];
        loop {
            match stream.read(&mut buffer) {
                Ok(0) => return,
                Ok(count) => {
                    // A full disk costs console bytes, never the guest.
                    let _ = self.ring().append(&buffer[..count]);
                    self.grown.notify_all();
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Offsets of the oldest byte held and after the newest.
    pub fn range(&self) -> (u64, u64) {
        let ring = self.ring();
        (ring.start(), ring.end())
    }

    /// At most `limit` bytes from `offset`, with the offset after them.
    pub fn read(&self, offset: u64, limit: usize) -> io::Result<(Vec<u8>, u64)> {
        self.ring().read(offset, limit)
    }

    /// Waits up to `patience` until there is more than `offset`.
    pub fn wait(&self, offset: u64, patience: Duration) {
        let _ = self.grown.wait_timeout_while(self.ring(), patience, |ring| ring.end() <= offset);
    }

    /// Writes to the guest's input. Fails with WouldBlock when the guest takes nothing for a second; part may have been written then.
    pub fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        let stream =
            self.stream.as_ref().ok_or_else(|| io::Error::new(ErrorKind::NotConnected, "the console ended with an earlier shim"))?;
        while !bytes.is_empty() {
            if poll(stream, libc::POLLOUT, INPUT_PATIENCE_MS) == 0 {
                return Err(io::Error::new(ErrorKind::WouldBlock, "the guest reads no input"));
            }
            // SAFETY: the kernel reads at most the slice's length.
            let sent =
                unsafe { libc::send(stream.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) };
            match sent {
                -1 if io::Error::last_os_error().kind() == ErrorKind::WouldBlock => {}
                -1 => return Err(io::Error::last_os_error()),
                count => bytes = &bytes[count as usize..],
            }
        }
        Ok(())
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
