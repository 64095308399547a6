use crate::sys::io::{read, watched, write};
use std::fs::OpenOptions;
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::sleep;

/// Ports with this name are sessions; others belong to the guest's own software.
const PREFIX: &str = "berth.session.";
/// The name follows the node by a message of its own.
const NAME_TRIES: u32 = 400;
const OPEN_TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(5);
const LONG_PAUSE: Duration = Duration::from_millis(100);

/// A session's port with a host at the other end.
pub struct Port {
    fd: AsyncFd<OwnedFd>,
    ended: bool,
}

/// Opens a port of that device name once a host is connected; none when it is no session's or went away.
pub async fn open(device: &str) -> io::Result<Option<Port>> {
    let Some(name) = name_of(device).await else { return Ok(None) };
    if !name.starts_with(PREFIX) {
        return Ok(None);
    }
    let Some(fd) = open_node(device).await? else { return Ok(None) };
    // A port without a host reads as ended and polls as hung up, so there is nothing to wait on.
    for round in 0.. {
        match hung_up(&fd)? {
            Some(false) => break,
            Some(true) => sleep(if round < 200 { PAUSE } else { LONG_PAUSE }).await,
            None => return Ok(None),
        }
    }
    Ok(Some(Port { fd: watched(fd)?, ended: false }))
}

async fn name_of(device: &str) -> Option<String> {
    let folder = format!("/sys/class/virtio-ports/{device}");
    for _ in 0..NAME_TRIES {
        if let Ok(name) = std::fs::read_to_string(format!("{folder}/name")) {
            return Some(name.trim().into());
        }
        if !Path::new(&folder).exists() && !Path::new("/dev").join(device).exists() {
            return None;
        }
        sleep(PAUSE).await;
    }
    None
}

/// The driver answers ENXIO for a moment after the node has appeared, and for good once the port is removed.
async fn open_node(device: &str) -> io::Result<Option<OwnedFd>> {
    let path = Path::new("/dev").join(device);
    for _ in 0..OPEN_TRIES {
        match OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(&path) {
            Ok(file) => return Ok(Some(file.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.raw_os_error() == Some(libc::ENXIO) => sleep(PAUSE).await,
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Whether no host is connected; none when the port is gone.
fn hung_up(fd: &OwnedFd) -> io::Result<Option<bool>> {
    let mut poll = libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: one pollfd of our own; a timeout of zero returns at once.
    if unsafe { libc::poll(&mut poll, 1, 0) } == -1 {
        return Err(io::Error::last_os_error());
    }
    // An unplugged port polls as hung up for ever, but its node is gone.
    let there = std::fs::metadata(format!("/proc/self/fd/{}", fd.as_raw_fd())).is_ok();
    Ok(there.then_some(poll.revents & libc::POLLHUP != 0))
}

impl AsyncRead for Port {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut guard = ready!(self.fd.poll_read_ready(context))?;
            match guard.try_io(|fd| read(fd.as_raw_fd(), buffer.initialize_unfilled())) {
                Ok(Ok(count @ 1..)) => {
                    buffer.advance(count);
                    return Poll::Ready(Ok(()));
                }
                // Host gone: 0 when its end closed, ENODEV when the port was removed. Both are the end of the session.
                Ok(_) => {
                    self.ended = true;
                    return Poll::Ready(Ok(()));
                }
                Err(_would_block) => {}
            }
        }
    }
}

impl AsyncWrite for Port {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        loop {
            // Without a host the driver takes no bytes and never says so: a writer would wait for ever.
            if self.ended {
                return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
            }
            let mut guard = ready!(self.fd.poll_write_ready(context))?;
            if let Ok(result) = guard.try_io(|fd| write(fd.as_raw_fd(), bytes)) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
