//! The guest agent: PID 1 of a VM that was made from an OCI image, and the server of `berth.guest.v1`.

pub mod proto;
