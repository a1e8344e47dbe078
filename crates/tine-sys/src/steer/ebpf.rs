//! bpf(2): maps, and loading a program.

use std::ffi::{CStr, c_long};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use crate::errno::while_doing;

// linux/bpf.h
const MAP_CREATE: u32 = 0;
const MAP_UPDATE_ELEM: u32 = 2;
const MAP_DELETE_ELEM: u32 = 3;
const PROG_LOAD: u32 = 5;
const OBJ_GET_INFO_BY_FD: u32 = 15;
const PROG_TYPE_SK_REUSEPORT: u32 = 21;

/// Kinds of map.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(super) enum MapKind {
    Array = 2,
    ReuseportSockArray = 20,
}

/// The head of `union bpf_attr` for creating a map.
#[repr(C)]
struct MapAttributes {
    kind: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

/// ... for changing an element.
#[repr(C)]
struct ElementAttributes {
    map_fd: u32,
    padding: u32,
    key: u64,
    value: u64,
    flags: u64,
}

/// ... for loading a program.
#[repr(C)]
struct ProgramAttributes {
    kind: u32,
    instruction_count: u32,
    instructions: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
}

/// ... for asking what a descriptor is.
#[repr(C)]
struct InfoAttributes {
    fd: u32,
    info_bytes: u32,
    info: u64,
}

/// The head of what the kernel says of a map (`struct bpf_map_info`); of a program
/// (`struct bpf_prog_info`) only the first two mean the same.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
struct Info {
    kind: u32,
    id: u32,
    key_size: u32,
    value_size: u32,
    max_entries: u32,
}

/// One instruction as the kernel reads it (`struct bpf_insn`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Instruction {
    pub(super) code: u8,
    pub(super) registers: u8,
    pub(super) offset: i16,
    pub(super) immediate: i32,
}

/// A map whose keys are numbers from 0 upward.
#[derive(Debug)]
pub(super) struct Map {
    fd: OwnedFd,
    value_bytes: u32,
}

impl Map {
    /// An array of `entries` values of `value_bytes` each, all zero; or of sockets, all absent.
    pub(super) fn new(kind: MapKind, value_bytes: u32, entries: u32) -> io::Result<Self> {
        let attributes = MapAttributes {
            kind: kind as u32,
            key_size: 4,
            value_size: value_bytes,
            max_entries: entries,
        };
        // SAFETY: the attributes of this command hold no pointers.
        let fd = unsafe { bpf(MAP_CREATE, &attributes) }?;
        // SAFETY: the kernel has just made this descriptor for us.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as RawFd) };
        Ok(Self { fd, value_bytes })
    }

    /// A map that another program image has made.
    ///
    /// # Errors
    /// `InvalidInput` if it is not of that kind, or not one whose keys are numbers; what the
    /// kernel answered if it is no map at all (`EINVAL`).
    pub(super) fn adopt(fd: OwnedFd, kind: MapKind) -> io::Result<Self> {
        let info = info(fd.as_fd())?;
        if info.kind != kind as u32 || info.key_size != 4 {
            return Err(not_it());
        }
        let value_bytes = info.value_size;
        Ok(Self { fd, value_bytes })
    }

    /// How many values it has.
    pub(super) fn entries(&self) -> io::Result<u32> {
        Ok(info(self.fd.as_fd())?.max_entries)
    }

    pub(super) fn value_bytes(&self) -> u32 {
        self.value_bytes
    }

    pub(super) fn into_descriptor(self) -> OwnedFd {
        self.fd
    }

    /// Writes one value.
    pub(super) fn update(&self, key: u32, value: &[u8]) -> io::Result<()> {
        if value.len() != self.value_bytes as usize {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let attributes = self.element(&key, value.as_ptr() as u64);
        // SAFETY: key and value live during the call and have the sizes the map was made with.
        unsafe { bpf(MAP_UPDATE_ELEM, &attributes) }.map(drop)
    }

    /// Empties one place of a map of sockets.
    pub(super) fn delete(&self, key: u32) -> io::Result<()> {
        let attributes = self.element(&key, 0);
        // SAFETY: the key lives during the call and has the size the map was made with.
        unsafe { bpf(MAP_DELETE_ELEM, &attributes) }.map(drop)
    }

    fn element(&self, key: &u32, value: u64) -> ElementAttributes {
        let map_fd = self.fd.as_raw_fd() as u32;
        ElementAttributes {
            map_fd,
            padding: 0,
            key: &raw const *key as u64,
            value,
            flags: 0,
        }
    }
}

impl AsFd for Map {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Loads a program that chooses a socket of a group.
pub(super) fn load(program: &[Instruction], name: &str) -> io::Result<OwnedFd> {
    let error = match load_logged(program, &mut []) {
        Ok(fd) => return Ok(fd),
        Err(error) => error,
    };
    let what = format!("loading the {name} program");
    if error.raw_os_error() == Some(libc::EPERM) {
        return Err(while_doing(&what, error));
    }
    // The verifier says why only if it is given room to.
    let mut log = vec![0_u8; 64 * 1024];
    let _ = load_logged(program, &mut log);
    let said = CStr::from_bytes_until_nul(&log)
        .map(CStr::to_string_lossy)
        .unwrap_or_default();
    let says_why = |line: &&str| !line.trim().is_empty() && !line.starts_with("processed ");
    let what = match said.lines().rfind(says_why) {
        Some(reason) => format!("{what} ({reason})"),
        None => what,
    };
    let error = while_doing(&what, error);
    Err(match error.kind() {
        // EACCES is how the verifier refuses what a program does; it is not a lack of privilege.
        io::ErrorKind::PermissionDenied => io::Error::other(error.to_string()),
        _ => error,
    })
}

fn load_logged(program: &[Instruction], log: &mut [u8]) -> io::Result<OwnedFd> {
    // Nothing it calls is reserved for programs under the GPL.
    const LICENSE: &CStr = c"MIT";
    let attributes = ProgramAttributes {
        kind: PROG_TYPE_SK_REUSEPORT,
        instruction_count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: LICENSE.as_ptr() as u64,
        log_level: u32::from(!log.is_empty()),
        log_size: log.len() as u32,
        log: if log.is_empty() {
            0
        } else {
            log.as_mut_ptr() as u64
        },
    };
    // SAFETY: program, license and log live during the call and have the lengths given.
    let fd = unsafe { bpf(PROG_LOAD, &attributes) }?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// A program that chooses a socket of a group and that another program image has loaded.
///
/// # Errors
/// `InvalidInput` if it is for something else; what the kernel answered if it is no program.
pub(super) fn adopt_program(fd: OwnedFd) -> io::Result<OwnedFd> {
    // A map whose kind has the same number passes here; the kernel refuses to attach it.
    if info(fd.as_fd())?.kind != PROG_TYPE_SK_REUSEPORT {
        return Err(not_it());
    }
    Ok(fd)
}

fn not_it() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, "it is something else")
}

fn info(fd: BorrowedFd<'_>) -> io::Result<Info> {
    let mut info = Info::default();
    let attributes = InfoAttributes {
        fd: fd.as_raw_fd() as u32,
        info_bytes: size_of::<Info>() as u32,
        info: &raw mut info as u64,
    };
    // SAFETY: the kernel writes at most as many bytes as `info` has; all integers.
    unsafe { bpf(OBJ_GET_INFO_BY_FD, &attributes) }?;
    Ok(info)
}

/// # Safety
/// `A` is the head of the attributes of `command`; what it points to is valid.
unsafe fn bpf<A>(command: u32, attributes: &A) -> io::Result<c_long> {
    let (pointer, size) = (std::ptr::from_ref(attributes), size_of::<A>());
    // SAFETY: the kernel reads `size` bytes and takes the rest for zero; the caller vouches for
    // what they point to.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, pointer, size) };
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_program_says_what_the_verifier_said() {
        let exit = Instruction {
            code: 0x95,
            registers: 0,
            offset: 0,
            immediate: 0,
        };
        let error = load(&[exit], "unfinished").unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("loading the unfinished program"), "{text}");
        if error.kind() == io::ErrorKind::PermissionDenied {
            // Without privilege the program is not even looked at.
            assert_eq!(super::super::probe_ebpf().unwrap_err().kind(), error.kind());
        } else {
            assert!(text.contains("(R0 !read_ok)"), "{text}");
        }
    }

    #[test]
    fn a_value_of_the_wrong_length_is_refused_before_the_kernel_reads_it() {
        // Any descriptor will do: nothing is asked of it.
        let fd = OwnedFd::from(std::fs::File::open("/dev/null").unwrap());
        let map = Map { fd, value_bytes: 8 };
        assert_eq!(
            map.update(0, &[0; 4]).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
    }
}
