//! What the agent says on the guest's console.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

const CONSOLE: &str = "/dev/console";

/// Opens the console for reading and writing without making it anybody's controlling terminal; /dev/null where there is none.
pub fn open() -> std::io::Result<OwnedFd> {
    let attempt = |path| OpenOptions::new().read(true).write(true).custom_flags(libc::O_NOCTTY).open(path);
    attempt(CONSOLE).or_else(|_| attempt("/dev/null")).map(OwnedFd::from)
}

/// Makes the console the agent's own three standard descriptors, and one that workloads of every user may open by name: /dev/stdout is a link to it.
pub fn adopt() {
    let Ok(console) = open() else { return };
    for fd in 0..3 {
        // SAFETY: dup2 onto the standard descriptors, which nothing in the agent owns.
        unsafe { libc::dup2(console.as_raw_fd(), fd) };
    }
    let _ = std::fs::set_permissions(CONSOLE, std::fs::Permissions::from_mode(0o666));
}

/// Writes one line. Losing it is better than failing for it.
pub fn say(text: &str) {
    let line = format!("berth-agent: {text}\n");
    let _ = match OpenOptions::new().write(true).custom_flags(libc::O_NOCTTY).open(CONSOLE) {
        Ok(mut console) => File::write_all(&mut console, line.as_bytes()),
        Err(_) => std::io::stderr().write_all(line.as_bytes()),
    };
}
