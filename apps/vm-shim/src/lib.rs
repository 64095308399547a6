//! The shim: parent and keeper of one VMM.

pub mod cgroup;
pub mod console;
pub mod daemon;
pub mod door;
pub mod end;
pub mod frame;
pub mod journal;
pub mod keeper;
pub mod launch;
pub mod proc;
pub mod proto;
pub mod qmp;
pub mod replace;
pub mod ring;
pub mod server;
pub mod shim;
pub mod sys;
pub mod vmm;
