//! System calls as safe functions. A failure names the call and what it was called with.

pub mod input;
pub mod io;
pub mod mount;
pub mod netlink;
pub mod power;
pub mod pty;
pub mod signal;

use std::ffi::CString;
use std::fmt;

/// A system call that failed.
#[derive(Debug)]
pub struct SysError {
    call: &'static str,
    operands: String,
    source: std::io::Error,
}

impl SysError {
    /// The failure that errno holds now.
    pub fn last(call: &'static str, operands: impl Into<String>) -> Self {
        Self::from_io(call, operands, std::io::Error::last_os_error())
    }

    /// A failure that the standard library reported.
    pub fn from_io(call: &'static str, operands: impl Into<String>, source: std::io::Error) -> Self {
        Self { call, operands: operands.into(), source }
    }

    /// The errno; 0 when there is none.
    pub fn errno(&self) -> i32 {
        self.source.raw_os_error().unwrap_or(0)
    }
}

impl fmt::Display for SysError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.call, self.operands, self.source)
    }
}

impl std::error::Error for SysError {}

/// Turns the -1 of a system call into an error.
pub fn check(result: impl Into<i64>, call: &'static str, operands: impl FnOnce() -> String) -> Result<i64, SysError> {
    let result = result.into();
    if result == -1 { Err(SysError::last(call, operands())) } else { Ok(result) }
}

/// A C string of text that the agent itself made or has checked; a NUL byte cuts it.
pub fn c_string(text: &str) -> CString {
    let end = text.bytes().position(|byte| byte == 0).unwrap_or(text.len());
    CString::new(&text.as_bytes()[..end]).unwrap_or_default()
}
