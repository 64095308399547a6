//! `berth-shim <launch.json>` starts a VM; `berth-shim --adopt <launch.json>` takes over one whose shim is gone.

fn main() {}
