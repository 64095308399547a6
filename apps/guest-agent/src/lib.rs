//! The guest agent: PID 1 of a VM that was made from an OCI image, and the server of `berth.guest.v1`.

pub mod agent;
pub mod boot;
pub mod channel;
pub mod console;
pub mod power;
pub mod process;
pub mod proto;
pub mod rpc;
pub mod sys;
pub mod workload;
