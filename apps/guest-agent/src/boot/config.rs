//! The config disk.

use super::disks;
use crate::proto::GuestConfig;
use crate::sys::SysError;
use crate::sys::mount::{detach, mount_at};
use prost::Message;
use std::io::{Error, ErrorKind, Read};

const SERIAL: &str = "config";
const FOLDER: &str = "/berth-config";
const LIMIT_BYTES: u64 = 1 << 20;

/// Reads `/config.binpb` of the disk whose serial is `config`.
pub fn read() -> Result<GuestConfig, SysError> {
    let disk = disks::wait_for(SERIAL)?;
    mount_at(&disk.device(), FOLDER, "erofs", libc::MS_RDONLY, "")?;
    let path = format!("{FOLDER}/config.binpb");
    let failed = |error| SysError::from_io("read", &path, error);
    let mut bytes = Vec::new();
    std::fs::File::open(&path).and_then(|file| file.take(LIMIT_BYTES).read_to_end(&mut bytes)).map_err(failed)?;
    detach(FOLDER)?;
    GuestConfig::decode(bytes.as_slice()).map_err(|error| failed(Error::new(ErrorKind::InvalidData, error)))
}
