//! What happened to the VM, durable and in order.

use crate::frame;
use crate::proto::journal_entry::Event;
use crate::proto::{JournalEntry, VmmStarted};
use prost::Message;
use std::collections::VecDeque;
use std::fs::{File, OpenOptions, rename};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// A guest that resets for ever must not fill the disk: above this the older half is dropped.
const LIMIT_BYTES: usize = 256 << 10;

/// The journal.
pub struct Journal {
    inner: Mutex<Inner>,
    grown: Condvar,
}

struct Inner {
    path: PathBuf,
    file: File,
    entries: VecDeque<JournalEntry>,
    size_bytes: usize,
}

impl Journal {
    /// Opens a journal, or makes one. A last entry that was cut by a crash is dropped: it was never durable.
    pub fn open(path: &Path) -> io::Result<Self> {
        let known = std::fs::read(path).unwrap_or_default();
        let mut rest = known.as_slice();
        let mut entries = VecDeque::new();
        let mut size_bytes = 0;
        while let Ok(Some(entry)) = frame::read::<JournalEntry>(&mut rest) {
            entries.push_back(entry);
            size_bytes = known.len() - rest.len();
        }
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path)?;
        file.set_len(size_bytes as u64)?;
        file.sync_all()?;
        sync_folder(path)?;
        Ok(Self { inner: Mutex::new(Inner { path: path.into(), file, entries, size_bytes }), grown: Condvar::new() })
    }

    /// Adds an event. When this returns it is on disk.
    pub fn append(&self, event: Event) -> io::Result<()> {
        let mut inner = self.lock();
        let time = Some(prost_types::Timestamp::from(SystemTime::now()));
        let entry = JournalEntry { seq: seq_of(&inner) + 1, time, event: Some(event) };
        let bytes = frame::encode(&entry);
        inner.file.write_all(&bytes)?;
        inner.file.sync_data()?;
        inner.size_bytes += bytes.len();
        inner.entries.push_back(entry);
        if inner.size_bytes > LIMIT_BYTES {
            inner.compact()?;
        }
        self.grown.notify_all();
        Ok(())
    }

    /// Number of the newest entry; 0 when there is none.
    pub fn seq(&self) -> i64 {
        seq_of(&self.lock())
    }

    /// Entries from a number on.
    pub fn from(&self, seq: i64) -> Vec<JournalEntry> {
        self.lock().entries.iter().filter(|entry| entry.seq >= seq).cloned().collect()
    }

    /// As `from`, waiting up to `patience` for the first.
    pub fn wait_from(&self, seq: i64, patience: Duration) -> Vec<JournalEntry> {
        let waited = self.grown.wait_timeout_while(self.lock(), patience, |inner| seq_of(inner) < seq);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
        self.from(seq)
    }

    /// The VMM that was started last, unless its end is known.
    pub fn running(&self) -> Option<VmmStarted> {
        let inner = self.lock();
        let last = inner.entries.iter().rev().find(|entry| matches!(entry.event, Some(Event::Started(_) | Event::Exited(_))))?;
        match &last.event {
            Some(Event::Started(started)) => Some(started.clone()),
            _ => None,
        }
    }

    /// Whether a signal holds the VMM, as far as it was written down.
    pub fn held(&self) -> bool {
        let tells = |entry: &&JournalEntry| matches!(entry.event, Some(Event::Started(_) | Event::Stopped(_) | Event::Continued(_)));
        self.lock().entries.iter().rev().find(tells).is_some_and(|entry| matches!(entry.event, Some(Event::Stopped(_))))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Keeps the newest entries and the last start, which adoption needs.
    fn compact(&mut self) -> io::Result<()> {
        let mut kept_bytes = 0;
        let total = self.entries.len();
        let is_start = |entry: &JournalEntry| matches!(entry.event, Some(Event::Started(_)));
        let mut start_kept = false;
        let mut kept = VecDeque::new();
        for (index, entry) in self.entries.drain(..).enumerate().collect::<Vec<_>>().into_iter().rev() {
            kept_bytes += 4 + entry.encoded_len();
            if index + 1 == total || kept_bytes <= LIMIT_BYTES / 2 || (is_start(&entry) && !start_kept) {
                start_kept |= is_start(&entry);
                kept.push_front(entry);
            }
        }
        let bytes: Vec<u8> = kept.iter().flat_map(frame::encode).collect();
        let next = self.path.with_extension("next");
        let mut file = OpenOptions::new().append(true).create_new(false).create(true).mode(0o600).open(&next)?;
        file.set_len(0)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        rename(&next, &self.path)?;
        sync_folder(&self.path)?;
        (self.file, self.entries, self.size_bytes) = (file, kept, bytes.len());
        Ok(())
    }
}

fn seq_of(inner: &Inner) -> i64 {
    inner.entries.back().map_or(0, |entry| entry.seq)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
