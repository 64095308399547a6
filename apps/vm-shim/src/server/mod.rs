//! `shim.sock`: several clients at once, root only, one thread each.

mod commands;

use crate::frame;
use crate::proto::{ShimRequest, ShimResponse};
use crate::shim::Shim;
use crate::sys::poll;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::Builder;
use std::time::Duration;

/// Its name in the folder for a VM's sockets.
pub const SOCKET: &str = "shim.sock";
/// Clients at once; more are turned away.
const CLIENTS: usize = 64;
/// Stack of a thread that copies bytes.
pub const STACK_BYTES: usize = 64 << 10;
/// How long a client may leave its answers unread.
const WRITE_PATIENCE: Duration = Duration::from_secs(10);

/// Serves for ever.
pub fn serve(shim: &Arc<Shim>, listener: &UnixListener) {
    let clients = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming().flatten() {
        if !is_root(&stream) || clients.load(Ordering::Relaxed) >= CLIENTS {
            continue;
        }
        let (shim, seats) = (Arc::clone(shim), Arc::clone(&clients));
        seats.fetch_add(1, Ordering::Relaxed);
        let talk = move || {
            // A client that breaks the protocol, or goes, ends its connection and nothing else.
            let _ = talk(&shim, &stream);
            seats.fetch_sub(1, Ordering::Relaxed);
        };
        if Builder::new().stack_size(STACK_BYTES).spawn(talk).is_err() {
            clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

fn talk(shim: &Shim, stream: &UnixStream) -> io::Result<()> {
    stream.set_write_timeout(Some(WRITE_PATIENCE))?;
    let mut reader = stream;
    while let Some(request) = frame::read::<ShimRequest>(&mut reader)? {
        commands::answer(shim, &Client { stream, id: request.id }, request)?;
    }
    Ok(())
}

/// Where answers to one request go.
pub struct Client<'a> {
    stream: &'a UnixStream,
    id: u64,
}

impl Client<'_> {
    /// Sends one answer.
    pub fn send(&self, response: ShimResponse) -> io::Result<()> {
        let mut writer = self.stream;
        frame::write(&mut writer, &ShimResponse { id: self.id, ..response })
    }

    /// Whether the client has closed its end.
    pub fn gone(&self) -> bool {
        poll(self.stream, libc::POLLRDHUP, 0) != 0
    }
}

fn is_root(stream: &UnixStream) -> bool {
    let mut peer = libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX };
    let mut size = std::mem::size_of::<libc::ucred>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `size` bytes, which is the structure's.
    let result = unsafe { libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, (&raw mut peer).cast(), &mut size) };
    result == 0 && peer.uid == 0
}
