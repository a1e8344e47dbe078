//! Which connections of this process has nobody read from? (tcp(7), proc_pid_fd(5))

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::RawFd;

/// States of the kernel's include/net/tcp_states.h.
const ESTABLISHED: u8 = 1;
const CLOSE_WAIT: u8 = 8;

/// How many TCP connections at `ports` this process holds from which it has not read one byte: what
/// has come waits, or nothing has come. Not counted are those whose client has ended its side and
/// left nothing to read. A moment's picture.
///
/// It looks at every descriptor of the process: some microseconds for each. A kernel before Linux
/// 4.1 does not tell what has come (`tcpi_bytes_received`): there a connection counts as long as
/// nothing waits.
///
/// # Errors
/// When `/proc/self/fd` cannot be read.
pub fn unread_at(ports: &[u16]) -> io::Result<usize> {
    let mut unread = 0;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.parse().ok());
        unread += usize::from(number.is_some_and(|fd| is_at(fd, ports) && is_unread(fd)));
    }
    Ok(unread)
}

// Another thread may close a descriptor at any time, and its number may then be another one's: what
// follows looks, and changes nothing.

fn is_at(fd: RawFd, ports: &[u16]) -> bool {
    let mut address = MaybeUninit::<libc::sockaddr_storage>::zeroed();
    let mut length = size_of::<libc::sockaddr_storage>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `address`.
    if unsafe { libc::getsockname(fd, address.as_mut_ptr().cast(), &mut length) } == -1 {
        return false;
    }
    // SAFETY: integers only, zeroed above.
    let address = unsafe { address.assume_init() };
    if !matches!(i32::from(address.ss_family), libc::AF_INET | libc::AF_INET6) {
        return false;
    }
    // SAFETY: a `sockaddr_storage` is as large and aligned as a `sockaddr_in` needs, and the port
    // of a `sockaddr_in6` stands at the same place.
    let internet = unsafe { (&raw const address).cast::<libc::sockaddr_in>().read() };
    ports.contains(&u16::from_be(internet.sin_port))
}

fn is_unread(fd: RawFd) -> bool {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes into `info`.
    let result = unsafe {
        libc::getsockopt(
            fd,
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &mut length,
        )
    };
    if result == -1 {
        return false;
    }
    // SAFETY: integers only, zeroed above, so any prefix may have been written.
    let info = unsafe { info.assume_init() };
    let mut waiting: libc::c_int = 0;
    // SAFETY: FIONREAD writes one int.
    if unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut waiting) } == -1 {
        return false;
    }
    let waiting = u64::try_from(waiting).unwrap_or(0);
    let came = info.tcpi_bytes_received;
    match info.tcpi_state {
        ESTABLISHED => came == waiting,
        // The end itself counts as a byte that has come.
        CLOSE_WAIT => waiting > 0 && came <= waiting + 1,
        _ => false,
    }
}
