//! Generates messages and service from the descriptor set that `buf build` left in `.berth`: no protoc is needed.

use prost::Message;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = "../../.berth/guest.binpb";
    println!("cargo:rerun-if-changed={path}");
    let files = prost_types::FileDescriptorSet::decode(std::fs::read(path)?.as_slice())?;
    tonic_prost_build::configure().build_transport(false).compile_fds(files)?;
    Ok(())
}
