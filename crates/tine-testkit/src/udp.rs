use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Sends one datagram from a new socket and returns the answer.
///
/// # Errors
/// When nobody listens, or no answer comes within `timeout` (as `WouldBlock`). Datagrams may get
/// lost by design, so whoever must know asks again.
pub fn ask(server: SocketAddr, question: &[u8], timeout: Duration) -> io::Result<Vec<u8>> {
    let here: SocketAddr = if server.is_ipv4() {
        ([127, 0, 0, 1], 0).into()
    } else {
        ([0u16; 8], 0).into()
    };
    let socket = UdpSocket::bind(here)?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(timeout))?;
    socket.send(question)?;
    let mut answer = vec![0; 64 * 1024];
    let length = socket.recv(&mut answer)?;
    answer.truncate(length);
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    const TIMEOUT: Duration = Duration::from_secs(10);

    #[test]
    fn an_answer_comes_back_and_silence_is_an_error() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = server.local_addr().unwrap();
        let echo = thread::spawn(move || {
            let mut bytes = [0; 100];
            let (length, from) = server.recv_from(&mut bytes).unwrap();
            server.send_to(&bytes[..length], from).unwrap();
            server
        });
        assert_eq!(ask(address, b"hello", TIMEOUT).unwrap(), b"hello");
        let server = echo.join().unwrap();
        let error = ask(address, b"hello", Duration::from_millis(20)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
        drop(server);
        let error = ask(address, b"hello", TIMEOUT).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
