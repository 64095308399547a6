//! File systems that are not the root.

use super::{disks, survive};
use crate::proto::GuestMount;
use crate::sys::SysError;
use crate::sys::mount::{make_folder, mount, mount_at};
use libc::{MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY};
use std::fs::{File, Permissions, set_permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

const HARMLESS: libc::c_ulong = MS_NOSUID | MS_NODEV | MS_NOEXEC;

/// File systems a data volume may hold, in the order they are tried.
const FILE_SYSTEMS: [&str; 4] = ["ext4", "xfs", "btrfs", "erofs"];

/// What the agent itself needs, in the initramfs.
pub fn early() -> Result<(), SysError> {
    mount_at("proc", "/proc", "proc", HARMLESS, "")?;
    mount_at("sysfs", "/sys", "sysfs", HARMLESS, "")?;
    mount_at("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755")?;
    mount_at("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
}

/// What programs expect, in the new root. /run and /tmp stay the image's: it may have put folders there, as under any container runtime.
pub fn late(warnings: &mut Vec<String>) {
    let wanted = [
        ("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5"),
        ("shm", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777"),
        ("mqueue", "/dev/mqueue", "mqueue", HARMLESS, ""),
        ("cgroup2", "/sys/fs/cgroup", "cgroup2", HARMLESS, "nsdelegate"),
    ];
    for (source, target, kind, flags, data) in wanted {
        match mount_at(source, target, kind, flags, data) {
            // A kernel built without one of these (mqueue, cgroups) is a guest all the same.
            Err(error) if error.errno() == libc::ENODEV => {}
            result => drop(survive(result, warnings)),
        }
    }
    let links = [
        ("/proc/self/fd", "/dev/fd"),
        ("/proc/self/fd/0", "/dev/stdin"),
        ("/proc/self/fd/1", "/dev/stdout"),
        ("/proc/self/fd/2", "/dev/stderr"),
        ("/proc/mounts", "/etc/mtab"),
    ];
    for (target, link) in links {
        let _ = symlink(target, link);
    }
    if !Path::new("/tmp").exists() && survive(make_folder("/tmp"), warnings).is_some() {
        let _ = set_permissions("/tmp", Permissions::from_mode(0o1777));
    }
}

/// Mounts data volumes; gives the folders of those that can be written to.
pub fn volumes(mounts: &[GuestMount], warnings: &mut Vec<String>) -> Vec<File> {
    let writable = mounts.iter().filter(|mount| survive(volume(mount), warnings).is_some() && !mount.read_only);
    let writable: Vec<_> = writable.map(|mount| mount.path.clone()).collect();
    writable.iter().filter_map(|path| File::open(path).ok()).collect()
}

fn volume(wanted: &GuestMount) -> Result<(), SysError> {
    let disk = disks::wait_for(&wanted.serial)?;
    make_folder(&wanted.path)?;
    let flags = MS_NODEV | if wanted.read_only { MS_RDONLY } else { 0 };
    let mut last = None;
    for kind in FILE_SYSTEMS {
        match mount(&disk.device(), &wanted.path, kind, flags, "") {
            Ok(()) => return Ok(()),
            Err(error) => last = last.or(Some(error)),
        }
    }
    Err(last.unwrap_or_else(|| SysError::from_io("mount", &wanted.path, std::io::ErrorKind::Unsupported.into())))
}
