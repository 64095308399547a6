//! The root: a shared read-only image under a writable layer.

use super::{disks, survive};
use crate::proto::GuestConfig;
use crate::sys::SysError;
use crate::sys::mount::{detach, enter_root, grow_ext4, make_folder, mount_at, move_mount};
use std::fs::File;

const LOWER: &str = "/lower";
const SCRATCH: &str = "/scratch";
const ROOT: &str = "/newroot";

/// Mounts image and scratch disk, lays one over the other and makes the result the root. Gives the folders of what was mounted for writing.
pub fn assemble(config: &GuestConfig, warnings: &mut Vec<String>) -> Result<Vec<File>, SysError> {
    let image = disks::wait_for(&config.root_serial)?;
    mount_at(&image.device(), LOWER, "erofs", libc::MS_RDONLY, "")?;
    let writable = mount_scratch(&config.scratch_serial, warnings)?;
    for folder in ["upper", "work"] {
        make_folder(format!("{SCRATCH}/{folder}"))?;
    }
    let layers = format!("lowerdir={LOWER},upperdir={SCRATCH}/upper,workdir={SCRATCH}/work");
    mount_at("overlay", ROOT, "overlay", 0, &layers)?;
    for folder in ["/dev", "/proc", "/sys"] {
        move_mount(folder, &format!("{ROOT}{folder}"))?;
    }
    detach("/run")?;
    enter_root(ROOT)?;
    Ok(writable)
}

fn mount_scratch(serial: &str, warnings: &mut Vec<String>) -> Result<Vec<File>, SysError> {
    if serial.is_empty() {
        mount_at("scratch", SCRATCH, "tmpfs", 0, "mode=755")?;
        return Ok(Vec::new());
    }
    let disk = disks::wait_for(serial)?;
    mount_at(&disk.device(), SCRATCH, "ext4", libc::MS_NOATIME, "")?;
    survive(grow_ext4(SCRATCH, disk.size_bytes()), warnings);
    Ok(File::open(SCRATCH).into_iter().collect())
}
