//! The console's last mebibyte, on disk.
//!
//! Layout: 8 bytes `BRTHRNG1`, 8 bytes big-endian capacity, 8 bytes big-endian offset after the newest byte, zeros up to 4096, then `capacity` bytes; the
//! byte of offset n lies at 4096 + n mod capacity. Offsets count from the instance's first console byte and go on over every start.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

const MAGIC: &[u8; 8] = b"BRTHRNG1";
const HEAD_BYTES: u64 = 4096;
const END_AT: u64 = 16;

/// Size of a console's ring.
pub const CAPACITY_BYTES: u64 = 1 << 20;

/// The ring.
pub struct Ring {
    file: File,
    capacity: u64,
    end: u64,
}

impl Ring {
    /// Opens a ring, or makes one where there is none that can be read.
    pub fn open(path: &Path, capacity: u64) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path)?;
        let mut head = [0; 24];
        let number = |head: &[u8; 24], at: usize| u64::from_be_bytes(head[at..at + 8].try_into().expect("eight bytes"));
        if file.read_exact_at(&mut head, 0).is_ok() && head.starts_with(MAGIC) && number(&head, 8) == capacity {
            return Ok(Self { file, capacity, end: number(&head, 16) });
        }
        file.set_len(0)?;
        file.write_all_at(&[&MAGIC[..], &capacity.to_be_bytes(), &0u64.to_be_bytes()].concat(), 0)?;
        Ok(Self { file, capacity, end: 0 })
    }

    /// Offset of the oldest byte held.
    pub fn start(&self) -> u64 {
        self.end.saturating_sub(self.capacity)
    }

    /// Offset after the newest byte.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// Locks the file for as long as the ring lives; false when another process holds it. Whoever holds it is the instance's one shim.
    pub fn lock(&self) -> bool {
        // SAFETY: flock takes an open descriptor and a number.
        unsafe { libc::flock(self.file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) == 0 }
    }

    /// Adds bytes over the oldest.
    pub fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        for chunk in bytes.chunks(self.capacity as usize) {
            let at = self.end % self.capacity;
            let (head, tail) = chunk.split_at(chunk.len().min((self.capacity - at) as usize));
            self.file.write_all_at(head, HEAD_BYTES + at)?;
            self.file.write_all_at(tail, HEAD_BYTES)?;
            self.end += chunk.len() as u64;
        }
        self.file.write_all_at(&self.end.to_be_bytes(), END_AT)
    }

    /// At most `limit` bytes from `offset`, or from the oldest held; with the offset after them.
    pub fn read(&self, offset: u64, limit: usize) -> io::Result<(Vec<u8>, u64)> {
        let from = offset.clamp(self.start(), self.end);
        let mut bytes = vec![0; limit.min((self.end - from) as usize)];
        let at = from % self.capacity;
        let (head, tail) = bytes.split_at_mut(((self.capacity - at) as usize).min((self.end - from).min(limit as u64) as usize));
        self.file.read_exact_at(head, HEAD_BYTES + at)?;
        self.file.read_exact_at(tail, HEAD_BYTES)?;
        let next = from + bytes.len() as u64;
        Ok((bytes, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_ring(name: &str, test: impl FnOnce(&Path)) {
        let path = std::env::temp_dir().join(format!("berth-ring-{name}-{}", std::process::id()));
        test(&path);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn the_newest_bytes_are_held_under_offsets_that_never_go_back() {
        with_ring("wrap", |path| {
            let mut ring = Ring::open(path, 8).unwrap();
            ring.append(b"abcdef").unwrap();
            ring.append(b"ghijk").unwrap();
            assert_eq!((ring.start(), ring.end()), (3, 11));
            assert_eq!(ring.read(0, 100).unwrap(), (b"defghijk".to_vec(), 11));
            assert_eq!(ring.read(5, 4).unwrap(), (b"fghi".to_vec(), 9));
            assert_eq!(ring.read(11, 4).unwrap(), (vec![], 11));
        });
    }

    #[test]
    fn a_write_larger_than_the_ring_leaves_its_end() {
        with_ring("large", |path| {
            let mut ring = Ring::open(path, 4).unwrap();
            ring.append(b"0123456789").unwrap();
            assert_eq!(ring.read(0, 100).unwrap(), (b"6789".to_vec(), 10));
        });
    }

    #[test]
    fn a_ring_goes_on_where_an_earlier_one_ended() {
        with_ring("again", |path| {
            Ring::open(path, 8).unwrap().append(b"hello world").unwrap();
            let mut ring = Ring::open(path, 8).unwrap();
            ring.append(b"!").unwrap();
            assert_eq!(ring.read(0, 100).unwrap(), (b"o world!".to_vec(), 12));
        });
    }

    #[test]
    fn a_file_that_is_no_ring_is_begun_anew() {
        with_ring("damaged", |path| {
            std::fs::write(path, "BRTHRNG9 something else entirely").unwrap();
            assert_eq!(Ring::open(path, 8).unwrap().end(), 0);
        });
    }
}
