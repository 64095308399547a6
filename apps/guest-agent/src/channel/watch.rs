use crate::sys::{SysError, check, io::AsyncFile};
use std::collections::HashSet;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// Virtio-serial ports as their nodes appear in /dev.
pub struct Ports {
    events: AsyncFile,
    known: HashSet<String>,
}

impl Ports {
    /// Begins to watch.
    pub fn new() -> io::Result<Self> {
        Ok(Self { events: AsyncFile::new(inotify().map_err(io::Error::other)?)?, known: HashSet::new() })
    }

    /// Waits for ports that were not there before. A port that went and came again is new.
    pub async fn next(&mut self) -> io::Result<Vec<String>> {
        loop {
            let now: HashSet<String> = std::fs::read_dir("/dev")?
                .flatten()
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| name.starts_with("vport"))
                .collect();
            let fresh: Vec<String> = now.difference(&self.known).cloned().collect();
            self.known = now;
            if !fresh.is_empty() {
                return Ok(fresh);
            }
            // The events only say that something changed; the folder says what.
            self.events.read(&mut [0u8; 4096]).await?;
        }
    }
}

fn inotify() -> Result<OwnedFd, SysError> {
    // SAFETY: numbers and a NUL-terminated literal; the descriptor is new.
    unsafe {
        let fd = check(libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK), "inotify_init1", String::new)? as i32;
        let owned = OwnedFd::from_raw_fd(fd);
        let watch = libc::inotify_add_watch(fd, c"/dev".as_ptr(), libc::IN_CREATE | libc::IN_DELETE);
        check(watch, "inotify_add_watch", || "/dev".into())?;
        Ok(owned)
    }
}
