//! Exact turns: a program with a counter and a set of live sockets (Linux 5.12, CAP_BPF).
//!
//! Three maps: the counter, the live set (its length, then as many positions as there is capacity
//! for), and the sockets. Changing the live set is one write; the program stays.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use super::ebpf::{Instruction, Map, MapKind, adopt_program, load};
use crate::errno::while_doing;

/// From asm-generic/socket.h; the same on x86 and ARM.
const SO_ATTACH_REUSEPORT_EBPF: libc::c_int = 52;

/// The most positions.
const LARGEST: u32 = 4096;
const SOCKET_BYTES: u32 = 8;

/// Size of the live set: its length and the positions.
fn live_bytes(capacity: u32) -> u32 {
    4 + 4 * capacity
}

/// Sockets of one group take turns, one connection each, exactly.
///
/// Positions are chosen by the caller, below the capacity; they have nothing to do with the order
/// of the kernel's array, and keep their meaning when another socket is closed. A socket that is
/// closed leaves its position empty; as long as that is still live, its turns fall back
/// to the kernel's hash. So does everything while nothing is live.
///
/// The program stays on the group when this is dropped, but nothing can be changed any more.
#[derive(Debug)]
pub struct RoundRobin {
    capacity: u32,
    live: Map,
    sockets: Map,
    program: OwnedFd,
}

impl RoundRobin {
    /// Makes the maps and loads the program; nothing is attached, nothing is live.
    ///
    /// # Errors
    /// [`io::ErrorKind::PermissionDenied`] without CAP_BPF (before Linux 5.8: CAP_SYS_ADMIN),
    /// [`io::ErrorKind::InvalidInput`] for a capacity of 0 or above 4096; otherwise what the kernel
    /// answered, with the last line of the verifier's log if it has refused the program.
    pub fn new(capacity: u32) -> io::Result<Self> {
        if !(1..=LARGEST).contains(&capacity) {
            let text = format!("a capacity of {capacity} sockets, 1 to {LARGEST} is possible");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let map = |name: &str, kind, value_bytes, entries| {
            Map::new(kind, value_bytes, entries)
                .map_err(|error| while_doing(&format!("creating the map of {name}"), error))
        };
        let counter = map("turns", MapKind::Array, 8, 1)?;
        let live = map("live sockets", MapKind::Array, live_bytes(capacity), 1)?;
        let sockets = map(
            "sockets",
            MapKind::ReuseportSockArray,
            SOCKET_BYTES,
            capacity,
        )?;
        // The program keeps the counter alive.
        let program = load(
            &program(counter.as_fd(), live.as_fd(), sockets.as_fd(), capacity),
            "turns",
        )?;
        Ok(Self {
            capacity,
            live,
            sockets,
            program,
        })
    }

    /// How many positions there are.
    #[must_use]
    pub fn capacity(&self) -> u32 {
        self.capacity
    }

    /// Everything that is needed to go on in another program image, for
    /// [`Self::from_descriptors`]; the order has a meaning. Nothing in the kernel changes.
    #[must_use]
    pub fn into_descriptors(self) -> Vec<OwnedFd> {
        let maps = [self.live, self.sockets].map(Map::into_descriptor);
        maps.into_iter().chain([self.program]).collect()
    }

    /// What [`Self::into_descriptors`] gives, to look at while it goes on being used here.
    #[must_use]
    pub fn descriptors(&self) -> [BorrowedFd<'_>; 3] {
        [
            self.live.as_fd(),
            self.sockets.as_fd(),
            self.program.as_fd(),
        ]
    }

    /// The same group's turns as before, from what [`Self::into_descriptors`] gave in the image
    /// that was here before ([`exec::replace`](crate::exec::replace)). Nothing in the kernel
    /// changes: the program is attached where it was, what was live still is, and turns go on where
    /// they were. Which socket has which position is for the caller to know.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if they are not what this version makes, which says which
    /// one; [`io::ErrorKind::PermissionDenied`] where [`Self::new`] would say that. The descriptors
    /// are closed then; the program stays on its group, until a new one replaces it.
    pub fn from_descriptors(descriptors: Vec<OwnedFd>) -> io::Result<Self> {
        let count = descriptors.len();
        let Ok([live, sockets, program]) = <[OwnedFd; 3]>::try_from(descriptors) else {
            let text = format!("{count} descriptors to take turns with, instead of 3");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        };
        let adopting = |name: &str| {
            let what = format!("adopting the {name}");
            move |error| while_doing(&what, error)
        };
        let live = Map::adopt(live, MapKind::Array).map_err(adopting("map of live sockets"))?;
        let sockets =
            Map::adopt(sockets, MapKind::ReuseportSockArray).map_err(adopting("map of sockets"))?;
        let program = adopt_program(program).map_err(adopting("turns program"))?;
        let capacity = sockets.entries().map_err(adopting("map of sockets"))?;
        let fits = (1..=LARGEST).contains(&capacity)
            && live.value_bytes() == live_bytes(capacity)
            && sockets.value_bytes() == SOCKET_BYTES;
        if !fits {
            let text = format!("adopting maps for {capacity} sockets: their sizes do not agree");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(Self {
            capacity,
            live,
            sockets,
            program,
        })
    }

    /// Puts the program on the group that `group` listens in, in place of what was attached.
    ///
    /// # Errors
    /// `EINVAL` if the socket has no SO_REUSEPORT.
    pub fn attach(&self, group: BorrowedFd<'_>) -> io::Result<()> {
        let program = self.program.as_raw_fd();
        // SAFETY: reads one int, the number of a live descriptor.
        let result = unsafe {
            libc::setsockopt(
                group.as_raw_fd(),
                libc::SOL_SOCKET,
                SO_ATTACH_REUSEPORT_EBPF,
                (&raw const program).cast(),
                size_of_val(&program) as libc::socklen_t,
            )
        };
        if result == -1 {
            Err(io::Error::last_os_error())
        } else {
            Ok(())
        }
    }

    /// Puts a listening socket at a position, in place of what was there. A socket can only be at
    /// one position, of one `RoundRobin`.
    ///
    /// # Errors
    /// `EINVAL` if it does not listen or has no SO_REUSEPORT, `EBUSY` if it has a position already,
    /// `E2BIG` for a position beyond the capacity.
    pub fn set_socket(&self, index: u32, listener: BorrowedFd<'_>) -> io::Result<()> {
        let value = (listener.as_raw_fd() as u64).to_ne_bytes();
        self.sockets.update(index, &value)
    }

    /// Empties a position. Nothing there is fine.
    ///
    /// # Errors
    /// `E2BIG` for a position beyond the capacity.
    pub fn clear_socket(&self, index: u32) -> io::Result<()> {
        match self.sockets.delete(index) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other,
        }
    }

    /// From now on, the sockets at these positions take turns. A connection that arrives at
    /// the very moment may still go to one that was live before, never to any other.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a position beyond the capacity, or for more positions
    /// than that.
    pub fn set_live(&self, live: &[u32]) -> io::Result<()> {
        let fits = live.len() <= self.capacity as usize;
        if !fits || live.iter().any(|index| *index >= self.capacity) {
            let text = format!("live positions beyond the capacity of {}", self.capacity);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        // The kernel does not write all of it at once. The rest is filled with live positions too,
        // so that an old length meets nothing that has long been dead.
        let positions = live.iter().copied().cycle().chain(std::iter::repeat(0));
        let value: Vec<u8> = [live.len() as u32]
            .into_iter()
            .chain(positions.take(self.capacity as usize))
            .flat_map(u32::to_ne_bytes)
            .collect();
        self.live.update(0, &value)
    }
}

// Classes, operations, sizes: linux/bpf_common.h, linux/bpf.h.
const LOAD_IMMEDIATE_64: u8 = 0x18; // LD | IMM | DW
const LOAD_64: u8 = 0x79; // LDX | MEM | DW
const LOAD_32: u8 = 0x61; // LDX | MEM | W
const LOAD_8: u8 = 0x71; // LDX | MEM | B
const STORE_IMMEDIATE_32: u8 = 0x62; // ST | MEM | W
const STORE_32: u8 = 0x63; // STX | MEM | W
const ATOMIC_64: u8 = 0xdb; // STX | ATOMIC | DW
const FETCH_AND_ADD: i32 = 0x01; // ADD | FETCH
const MOVE_IMMEDIATE: u8 = 0xb7;
const MOVE: u8 = 0xbf;
const ADD_IMMEDIATE: u8 = 0x07;
const ADD: u8 = 0x0f;
const AND_IMMEDIATE: u8 = 0x57;
const SHIFT_LEFT_IMMEDIATE: u8 = 0x67;
const SHIFT_RIGHT_IMMEDIATE: u8 = 0x77;
const MODULO: u8 = 0x9f;
const JUMP_IF_EQUAL: u8 = 0x15;
const JUMP_IF_AT_LEAST: u8 = 0x35;
const JUMP_IF_MORE: u8 = 0x25;
const JUMP_IF_MORE_THAN: u8 = 0x2d; // with a register
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;
const SOURCE_IS_MAP: u8 = 1; // BPF_PSEUDO_MAP_FD
const HELPER_MAP_LOOKUP: i32 = 1;
const HELPER_SELECT_REUSEPORT: i32 = 82;
const PASS: i32 = 1; // SK_PASS

/// Registers: 0 results, 1 to 5 arguments, 6 to 9 kept across calls, 10 the frame.
fn instruction(code: u8, to: u8, from: u8, offset: i16, immediate: i32) -> Instruction {
    let registers = if cfg!(target_endian = "little") {
        from << 4 | to
    } else {
        to << 4 | from
    };
    Instruction {
        code,
        registers,
        offset,
        immediate,
    }
}

fn program(
    counter: BorrowedFd<'_>,
    live: BorrowedFd<'_>,
    sockets: BorrowedFd<'_>,
    capacity: u32,
) -> Vec<Instruction> {
    /// Stands for a jump to the end, until it is known where that is.
    const TO_END: i16 = i16::MAX;
    /// struct sk_reuseport_md: pointers to the TCP header and to the end of what can be read.
    const DATA: i16 = 0;
    const DATA_END: i16 = 8;
    /// Where in the TCP header the flags are (RFC 9293); SYN is bit 1 of them.
    const FLAGS: i16 = 13;
    const SYN_BIT: i32 = 1;
    const ZERO_KEY: i32 = -4;
    const INDEX: i32 = -8;
    let i = instruction;
    let map = |to: u8, map: BorrowedFd<'_>| {
        [
            i(LOAD_IMMEDIATE_64, to, SOURCE_IS_MAP, 0, map.as_raw_fd()),
            i(0, 0, 0, 0, 0),
        ]
    };
    let frame = |to: u8, at: i32| [i(MOVE, to, 10, 0, 0), i(ADD_IMMEDIATE, to, 0, 0, at)];

    let mut code = vec![
        i(MOVE, 6, 1, 0, 0), // 6: the context
        i(STORE_IMMEDIATE_32, 10, 0, ZERO_KEY as i16, 0),
    ];
    code.extend(map(1, live));
    code.extend(frame(2, ZERO_KEY));
    code.extend([
        i(CALL, 0, 0, 0, HELPER_MAP_LOOKUP),
        i(JUMP_IF_EQUAL, 0, 0, TO_END, 0),
        i(MOVE, 7, 0, 0, 0),    // 7: the live set
        i(LOAD_32, 8, 7, 0, 0), // 8: its length
        i(JUMP_IF_EQUAL, 8, 0, TO_END, 0),
        i(JUMP_IF_MORE, 8, 0, TO_END, capacity as i32),
    ]);
    code.extend(map(1, counter));
    code.extend(frame(2, ZERO_KEY));
    code.extend([
        i(CALL, 0, 0, 0, HELPER_MAP_LOOKUP),
        i(JUMP_IF_EQUAL, 0, 0, TO_END, 0),
        // The kernel asks for every segment that belongs to no connection, also for one that was
        // sent again and comes after the end of its connection. Only a SYN takes a turn. Others
        // still get a live socket: with SYN cookies an ACK makes the connection.
        i(LOAD_64, 1, 6, DATA, 0),
        i(LOAD_64, 2, 6, DATA_END, 0),
        i(MOVE, 3, 1, 0, 0),
        i(ADD_IMMEDIATE, 3, 0, 0, i32::from(FLAGS) + 1),
        i(JUMP_IF_MORE_THAN, 3, 2, TO_END, 0),
        i(LOAD_8, 1, 1, FLAGS, 0),
        i(SHIFT_RIGHT_IMMEDIATE, 1, 0, 0, SYN_BIT),
        i(AND_IMMEDIATE, 1, 0, 0, 1),
        i(ATOMIC_64, 0, 1, 0, FETCH_AND_ADD), // 1: this connection's turn
        i(MODULO, 1, 8, 0, 0),
        // Always less; the verifier wants to see it.
        i(JUMP_IF_AT_LEAST, 1, 0, TO_END, capacity as i32),
        i(SHIFT_LEFT_IMMEDIATE, 1, 0, 0, 2),
        i(ADD, 7, 1, 0, 0),
        i(LOAD_32, 1, 7, 4, 0),
        i(STORE_32, 10, 1, INDEX as i16, 0),
        i(MOVE, 1, 6, 0, 0),
    ]);
    code.extend(map(2, sockets));
    code.extend(frame(3, INDEX));
    code.extend([
        i(MOVE_IMMEDIATE, 4, 0, 0, 0),
        // Chooses nothing when that place is empty, which is the hash again.
        i(CALL, 0, 0, 0, HELPER_SELECT_REUSEPORT),
    ]);
    let end = code.len();
    code.extend([i(MOVE_IMMEDIATE, 0, 0, 0, PASS), i(EXIT, 0, 0, 0, 0)]);
    for (at, instruction) in code.iter_mut().enumerate() {
        if instruction.offset == TO_END {
            instruction.offset = (end - at - 1) as i16;
        }
    }
    code
}
