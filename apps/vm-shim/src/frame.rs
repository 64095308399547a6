//! Messages preceded by their length: four bytes, big-endian.

use prost::Message;
use std::io::{self, ErrorKind, Read, Write};

/// A message is at most this large.
pub const LIMIT_BYTES: usize = 1 << 20;

/// A message with its length before it.
pub fn encode(message: &impl Message) -> Vec<u8> {
    let length = message.encoded_len();
    let mut bytes = Vec::with_capacity(4 + length);
    bytes.extend((length as u32).to_be_bytes());
    message.encode(&mut bytes).expect("a Vec grows");
    bytes
}

/// Writes a message with its length before it.
pub fn write(stream: &mut impl Write, message: &impl Message) -> io::Result<()> {
    stream.write_all(&encode(message))
}

/// Reads a message; none at the stream's end. An end within a message is an error, as is a message too large or malformed.
pub fn read<M: Message + Default>(stream: &mut impl Read) -> io::Result<Option<M>> {
    let mut head = [0; 4];
    match stream.read(&mut head)? {
        0 => return Ok(None),
        count => stream.read_exact(&mut head[count..])?,
    }
    let length = u32::from_be_bytes(head) as usize;
    if length > LIMIT_BYTES {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("a message of {length} bytes")));
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    M::decode(body.as_slice()).map(Some).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::ShimSignal;

    #[test]
    fn messages_come_out_as_they_went_in_and_the_end_is_none() {
        let mut bytes = encode(&ShimSignal { signal: 9 });
        bytes.extend(encode(&ShimSignal { signal: 15 }));
        let mut stream = bytes.as_slice();
        assert_eq!(read::<ShimSignal>(&mut stream).unwrap(), Some(ShimSignal { signal: 9 }));
        assert_eq!(read::<ShimSignal>(&mut stream).unwrap(), Some(ShimSignal { signal: 15 }));
        assert_eq!(read::<ShimSignal>(&mut stream).unwrap(), None);
    }

    #[test]
    fn a_cut_message_and_one_that_claims_to_be_huge_are_errors() {
        let bytes = encode(&ShimSignal { signal: 9 });
        assert!(read::<ShimSignal>(&mut &bytes[..bytes.len() - 1]).is_err());
        assert!(read::<ShimSignal>(&mut &bytes[..2]).is_err());
        assert!(read::<ShimSignal>(&mut &[0xff; 8][..]).is_err());
    }
}
