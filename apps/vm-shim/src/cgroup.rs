//! The VM's cgroup: in every hierarchy that matters, so that no service's end takes the VM with it.

use crate::sys::SysError;
use std::fs;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Duration;

/// How often, and with which pause, a cgroup is tried to be removed while its last process goes.
const REMOVE_TRIES: u32 = 100;
const REMOVE_PAUSE: Duration = Duration::from_millis(10);

/// One cgroup in all its hierarchies. Without a name it is none and does nothing.
#[derive(Clone, Debug, Default)]
pub struct Cgroup {
    folders: Vec<Folder>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Folder {
    root: PathBuf,
    path: PathBuf,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Unified,
    Memory,
    /// v1's cpu controller, or systemd's own hierarchy.
    Other,
}

impl Cgroup {
    /// The cgroup of that name; nothing is made yet.
    pub fn named(name: &str) -> Self {
        let mounts = if name.is_empty() { String::new() } else { fs::read_to_string("/proc/self/mounts").unwrap_or_default() };
        Self { folders: hierarchies(&mounts, name) }
    }

    /// Makes it, sets the memory limit in bytes (0: none) and enters it. Hierarchies that this host keeps read-only are left out,
    /// but a limit that nothing enforces is an error.
    pub fn enter(&mut self, memory_limit_bytes: i64) -> Result<(), SysError> {
        self.folders.retain(|folder| {
            if folder.kind == Kind::Unified {
                for controller in ["+memory", "+cpu"] {
                    let _ = fs::write(folder.root.join("cgroup.subtree_control"), controller);
                }
            }
            fs::create_dir_all(&folder.path).is_ok()
        });
        if memory_limit_bytes > 0 {
            self.limit_memory(memory_limit_bytes)?;
        }
        for folder in &self.folders {
            let procs = folder.path.join("cgroup.procs");
            fs::write(&procs, "0").map_err(|error| SysError::new("write", procs.display(), error))?;
        }
        Ok(())
    }

    fn limit_memory(&self, bytes: i64) -> Result<(), SysError> {
        let mut last = std::io::Error::from(std::io::ErrorKind::Unsupported);
        for folder in &self.folders {
            let file = match folder.kind {
                Kind::Unified => "memory.max",
                Kind::Memory => "memory.limit_in_bytes",
                Kind::Other => continue,
            };
            match fs::write(folder.path.join(file), bytes.to_string()) {
                Ok(()) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(SysError::new("set memory limit", bytes, last))
    }

    /// How often the memory limit has killed a process of it.
    pub fn kills(&self) -> u64 {
        let count = |folder: &Folder| {
            let file = match folder.kind {
                Kind::Unified => "memory.events",
                Kind::Memory => "memory.oom_control",
                Kind::Other => return 0,
            };
            let text = fs::read_to_string(folder.path.join(file)).unwrap_or_default();
            text.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok()).unwrap_or(0)
        };
        self.folders.iter().map(count).sum()
    }

    /// Leaves it and removes it, once nothing is left in it.
    pub fn remove(&self) {
        for folder in &self.folders {
            let _ = fs::write(folder.root.join("cgroup.procs"), "0");
            for _ in 0..REMOVE_TRIES {
                match fs::remove_dir(&folder.path) {
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) => sleep(REMOVE_PAUSE),
                    _ => break,
                }
            }
        }
    }
}

fn hierarchies(mounts: &str, name: &str) -> Vec<Folder> {
    let folder = |line: &str| {
        let fields: Vec<_> = line.split(' ').collect();
        let (root, system, options) = (PathBuf::from(fields.get(1)?), *fields.get(2)?, *fields.get(3)?);
        let has = |wanted: &str| options.split(',').any(|option| option == wanted);
        let kind = match system {
            "cgroup2" => Kind::Unified,
            "cgroup" if has("memory") => Kind::Memory,
            "cgroup" if has("cpu") || has("name=systemd") => Kind::Other,
            _ => return None,
        };
        Some(Folder { path: root.join(name), root, kind })
    };
    if name.is_empty() { Vec::new() } else { mounts.lines().filter_map(folder).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_cpu_and_the_hierarchies_that_services_are_stopped_by_are_used() {
        let mounts = "tmpfs /sys/fs/cgroup tmpfs rw 0 0\ncgroup /c/cpu cgroup rw,cpu 0 0\ncgroup /c/memory cgroup rw,memory 0 0\n\
            cgroup /c/freezer cgroup rw,freezer 0 0\ncgroup /c/systemd cgroup rw,name=systemd 0 0\ncgroup2 /c/unified cgroup2 rw 0 0\n";
        let found: Vec<_> = hierarchies(mounts, "berth-1").into_iter().map(|folder| (folder.path, folder.kind)).collect();
        assert_eq!(
            found,
            [
                ("/c/cpu/berth-1".into(), Kind::Other),
                ("/c/memory/berth-1".into(), Kind::Memory),
                ("/c/systemd/berth-1".into(), Kind::Other),
                ("/c/unified/berth-1".into(), Kind::Unified)
            ]
        );
        assert!(hierarchies(mounts, "").is_empty());
    }
}
