//! Virtio disks by their serial.

use crate::sys::SysError;
use std::fs::read_dir;
use std::io::{Error, ErrorKind};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a disk may take to appear.
const PATIENCE: Duration = Duration::from_secs(10);

/// A disk of the guest's.
pub struct Disk {
    name: String,
}

impl Disk {
    /// Its device node.
    pub fn device(&self) -> String {
        format!("/dev/{}", self.name)
    }

    /// Its size in bytes; 0 when the kernel does not say.
    pub fn size_bytes(&self) -> u64 {
        let sectors = std::fs::read_to_string(format!("/sys/block/{}/size", self.name)).unwrap_or_default();
        sectors.trim().parse::<u64>().unwrap_or(0) * 512
    }
}

/// The disk of that serial, once it is there.
pub fn wait_for(serial: &str) -> Result<Disk, SysError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(disk) = find(Path::new("/sys/block"), serial) {
            return Ok(disk);
        }
        if Instant::now() > deadline {
            return Err(SysError::from_io("find disk", serial, Error::from(ErrorKind::NotFound)));
        }
        sleep(Duration::from_millis(5));
    }
}

fn find(block: &Path, serial: &str) -> Option<Disk> {
    let names = read_dir(block).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.starts_with("vd"))
        .find(|name| std::fs::read_to_string(block.join(name).join("serial")).is_ok_and(|found| found.trim() == serial))
        .map(|name| Disk { name })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_found_by_its_whole_serial() {
        let folder = std::env::temp_dir().join(format!("berth-disks-{}", std::process::id()));
        for (name, serial) in [("vda", "root2"), ("vdb", "root\n"), ("sda", "root")] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            std::fs::write(folder.join(name).join("serial"), serial).unwrap();
        }
        assert_eq!(find(&folder, "root").map(|disk| disk.device()), Some("/dev/vdb".into()));
        assert!(find(&folder, "scratch").is_none());
        std::fs::remove_dir_all(folder).unwrap();
    }
}
