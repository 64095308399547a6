//! Processes of the guest: who they run as, what they run, how they start and how they end.

pub mod env;
pub mod lookup;
pub mod program;
pub mod reaper;
pub mod spawn;
pub mod start_error;
pub mod user;

pub use program::Program;
pub use reaper::{Child, Exit};
pub use spawn::{Streams, start};
pub use start_error::StartError;
