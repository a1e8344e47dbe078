//! What does PM2's daemon say about its processes?
//!
//! `pm2 jlist` takes a third of a second, too long to be asked again and again. It prints what the
//! daemon answers to one question on its socket: frames of a byte (version and number of arguments)
//! and the arguments, each after its length in four bytes.

use serde_json::Value;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

const QUESTION: &str = r#"j:{"type":"call","method":"getMonitorData","args":[{}]}"#;
/// It is echoed; this side has only one question at a time.
const ID: &str = "s:tine:0";
const PATIENCE: Duration = Duration::from_secs(20);

/// The array that `pm2 jlist` would print.
pub(crate) fn list(home: &Path) -> io::Result<Value> {
    let mut socket = UnixStream::connect(home.join("rpc.sock"))?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut frame = vec![0x12];
    for argument in [QUESTION, ID] {
        let length = u32::try_from(argument.len()).unwrap();
        frame.extend(length.to_be_bytes());
        frame.extend(argument.as_bytes());
    }
    socket.write_all(&frame)?;
    let mut head = [0];
    socket.read_exact(&mut head)?;
    let mut length = [0; 4];
    socket.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    socket.read_exact(&mut answer)?;
    let json = answer.strip_prefix(b"j:").unwrap_or(&answer);
    let mut answer: Value = serde_json::from_slice(json)?;
    match answer.pointer_mut("/args/0") {
        Some(list @ Value::Array(_)) => Ok(list.take()),
        _ => Err(io::Error::other(format!("PM2 answered {answer}"))),
    }
}
