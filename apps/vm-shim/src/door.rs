//! The shim's socket, and another one in its place when somebody has deleted it: a VM that nobody can speak to could not be ended in order.

use crate::proto::LaunchSpec;
use crate::server::{SOCKET, STACK_BYTES, serve};
use crate::shim::Shim;
use crate::sys::SysError;
use crate::vmm::descriptors;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread::Builder;
use std::time::Duration;

/// How often it is looked whether the socket is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Serves at the socket, and at its successors, until the sender of `end` is gone.
pub fn keep(shim: &Arc<Shim>, listener: UnixListener, end: &Receiver<()>) {
    let path = path(&shim.spec);
    answer(shim, listener);
    while end.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
        // One that is there belongs to this shim: a lock lets no second one live.
        if !path.exists() {
            let _ = make_folder(Path::new(&shim.spec.run_dir));
            let _ = open(&shim.spec).map(|listener| answer(shim, listener));
        }
    }
}

/// Binds the socket.
pub fn open(spec: &LaunchSpec) -> Result<UnixListener, SysError> {
    descriptors::listen(&path(spec))
}

/// Removes the socket.
pub fn remove(spec: &LaunchSpec) {
    let _ = fs::remove_file(path(spec));
}

/// Makes the folder for a VM's sockets, with those above it, as the service does: whoever knows a name in it passes through, whatever the umask.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    folder.parent().map_or(Ok(()), make_folder)?;
    fs::create_dir(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o711))
}

fn path(spec: &LaunchSpec) -> PathBuf {
    Path::new(&spec.run_dir).join(SOCKET)
}

/// The thread of a listener whose path is gone hears nothing more, and ends with the shim.
fn answer(shim: &Arc<Shim>, listener: UnixListener) {
    let shim = Arc::clone(shim);
    Builder::new().stack_size(STACK_BYTES).spawn(move || serve(&shim, &listener)).expect("a thread can be made");
}
