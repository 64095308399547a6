//! Mounts, roots and kernel modules.

use super::{SysError, c_string, check};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;

/// mount(2). `data` is the option string of the file system.
pub fn mount(source: &str, target: &str, kind: &str, flags: libc::c_ulong, data: &str) -> Result<(), SysError> {
    let (source_c, target_c, kind_c, data_c) = (c_string(source), c_string(target), c_string(kind), c_string(data));
    // SAFETY: four NUL-terminated strings that live until the call returns.
    let result = unsafe { libc::mount(source_c.as_ptr(), target_c.as_ptr(), kind_c.as_ptr(), flags, data_c.as_ptr().cast()) };
    check(result, "mount", || format!("{source} on {target} ({kind} {data})")).map(drop)
}

/// Mounts after making the folder.
pub fn mount_at(source: &str, target: &str, kind: &str, flags: libc::c_ulong, data: &str) -> Result<(), SysError> {
    make_folder(target)?;
    mount(source, target, kind, flags, data)
}

/// Moves a mount to another folder, which is made.
pub fn move_mount(from: &str, to: &str) -> Result<(), SysError> {
    make_folder(to)?;
    mount(from, to, "", libc::MS_MOVE, "")
}

/// Takes a mount away, at once or when its last user is gone.
pub fn detach(target: &str) -> Result<(), SysError> {
    let path = c_string(target);
    // SAFETY: a NUL-terminated string that lives until the call returns.
    check(unsafe { libc::umount2(path.as_ptr(), libc::MNT_DETACH) }, "umount2", || target.into()).map(drop)
}

/// Makes the mount at `folder` the root of this process and all it starts.
pub fn enter_root(folder: &str) -> Result<(), SysError> {
    std::env::set_current_dir(folder).map_err(|error| SysError::from_io("chdir", folder, error))?;
    mount(".", "/", "", libc::MS_MOVE, "")?;
    // SAFETY: a NUL-terminated literal.
    check(unsafe { libc::chroot(c".".as_ptr()) }, "chroot", || folder.into())?;
    std::env::set_current_dir("/").map_err(|error| SysError::from_io("chdir", "/", error))
}

/// mkdir -p.
pub fn make_folder(path: impl AsRef<Path>) -> Result<(), SysError> {
    let path = path.as_ref();
    std::fs::create_dir_all(path).map_err(|error| SysError::from_io("mkdir", path.display().to_string(), error))
}

/// Loads a kernel module. One that is loaded already, or finds no device, is no failure.
pub fn load_module(path: &str) -> Result<(), SysError> {
    let file = File::open(path).map_err(|error| SysError::from_io("open", path, error))?;
    // SAFETY: an open descriptor and a NUL-terminated literal.
    let result = unsafe { libc::syscall(libc::SYS_finit_module, file.as_raw_fd(), c"".as_ptr(), 0) };
    match check(result, "finit_module", || path.into()) {
        Err(error) if ![libc::EEXIST, libc::ENODEV].contains(&error.errno()) => Err(error),
        _ => Ok(()),
    }
}

/// Grows the mounted ext4 that `folder` lies on to `size_bytes`; a file system of that size or larger is left alone.
pub fn grow_ext4(folder: &str, size_bytes: u64) -> Result<(), SysError> {
    /// `_IOW('f', 16, __u64)` of fs/ext4/ext4.h.
    const EXT4_IOC_RESIZE_FS: libc::Ioctl = 0x4008_6610;
    let root = File::open(folder).map_err(|error| SysError::from_io("open", folder, error))?;
    // SAFETY: all-zero is a valid statfs.
    let mut stat: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: an open descriptor and a structure of our own.
    check(unsafe { libc::fstatfs(root.as_raw_fd(), &mut stat) }, "fstatfs", || folder.into())?;
    let blocks: u64 = size_bytes / stat.f_bsize as u64;
    // f_blocks leaves out the file system's own tables; within 1/16 there is nothing worth growing.
    if blocks - blocks / 16 <= stat.f_blocks {
        return Ok(());
    }
    // SAFETY: the ioctl reads one u64.
    check(unsafe { libc::ioctl(root.as_raw_fd(), EXT4_IOC_RESIZE_FS, &blocks) }, "EXT4_IOC_RESIZE_FS", || format!("{folder} {blocks}"))
        .map(drop)
}
