//! The shim: parent and keeper of one VMM.

pub mod proto;
