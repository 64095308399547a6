//! The VMM's process: what it inherits and how it is started.

pub mod descriptors;
pub mod spawn;

/// Number of a VMM's first inherited descriptor.
pub const FIRST_FD: i32 = 3;
/// The shim keeps its own descriptors for the VMM above this, clear of the numbers they get there.
pub const ABOVE: i32 = 128;
