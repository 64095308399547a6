use crate::sys::{SysError, check, io::AsyncFile};
use std::collections::HashSet;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

const FOLDER: &str = "/dev";
const PREFIX: &str = "vport";
/// struct inotify_event without its name: wd, mask, cookie, len.
const HEADER_BYTES: usize = 16;

/// Virtio-serial ports as their nodes come and go in /dev.
pub struct Ports {
    events: AsyncFile,
    known: HashSet<String>,
    listed: bool,
}

impl Ports {
    /// Begins to watch.
    pub fn new() -> io::Result<Self> {
        Ok(Self { events: AsyncFile::new(inotify().map_err(io::Error::other)?)?, known: HashSet::new(), listed: false })
    }

    /// Waits for new ports. A port that goes and comes again under its old name is new, however fast.
    pub async fn next(&mut self) -> io::Result<Vec<String>> {
        let mut fresh = Vec::new();
        while fresh.is_empty() {
            if self.listed {
                let mut buffer = [0u8; 4096];
                let count = self.events.read(&mut buffer).await?;
                for (name, created) in parse(&buffer[..count]) {
                    self.note(name, created, &mut fresh);
                }
            } else {
                // Ports that were there before the watch; those that came in between are told a second time, and known by then.
                self.listed = true;
                for entry in std::fs::read_dir(FOLDER)?.flatten() {
                    self.note(entry.file_name().to_string_lossy().into_owned(), true, &mut fresh);
                }
            }
        }
        Ok(fresh)
    }

    fn note(&mut self, name: String, created: bool, fresh: &mut Vec<String>) {
        if !created {
            self.known.remove(&name);
        } else if name.starts_with(PREFIX) && self.known.insert(name.clone()) {
            fresh.push(name);
        }
    }
}

/// Names in a buffer of inotify events, with whether each was created (else it was deleted).
fn parse(mut events: &[u8]) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    while events.len() >= HEADER_BYTES {
        let number = |at: usize| u32::from_ne_bytes([events[at], events[at + 1], events[at + 2], events[at + 3]]);
        let end = (HEADER_BYTES + number(12) as usize).min(events.len());
        let name = events[HEADER_BYTES..end].split(|byte| *byte == 0).next().unwrap_or_default();
        found.push((String::from_utf8_lossy(name).into_owned(), number(4) & libc::IN_CREATE != 0));
        events = &events[end..];
    }
    found
}

fn inotify() -> Result<OwnedFd, SysError> {
    // SAFETY: numbers and a NUL-terminated literal; the descriptor is new.
    unsafe {
        let fd = check(libc::inotify_init1(libc::IN_CLOEXEC | libc::IN_NONBLOCK), "inotify_init1", String::new)? as i32;
        let owned = OwnedFd::from_raw_fd(fd);
        let watch = libc::inotify_add_watch(fd, c"/dev".as_ptr(), libc::IN_CREATE | libc::IN_DELETE);
        check(watch, "inotify_add_watch", || FOLDER.into())?;
        Ok(owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(mask: u32, name: &str) -> Vec<u8> {
        let mut padded = name.as_bytes().to_vec();
        padded.resize(16, 0);
        [&1u32.to_ne_bytes()[..], &mask.to_ne_bytes(), &0u32.to_ne_bytes(), &16u32.to_ne_bytes(), &padded].concat()
    }

    #[test]
    fn a_port_that_goes_and_comes_in_one_read_is_told_as_both() {
        let bytes = [event(libc::IN_DELETE, "vport1p2"), event(libc::IN_CREATE, "vport1p2")].concat();
        assert_eq!(parse(&bytes), [("vport1p2".into(), false), ("vport1p2".into(), true)]);
    }

    #[test]
    fn half_an_event_is_no_event() {
        assert!(parse(&event(libc::IN_CREATE, "vport1p2")[..12]).is_empty());
    }
}
