//! Classic BPF: no privilege, no state; a change is a new program.
//!
//! (Linux's Documentation/networking/filter.rst; socket(7), SO_ATTACH_REUSEPORT_CBPF, Linux 4.5,
//! for TCP 4.6.)

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use libc::{
    BPF_ABS, BPF_ALU, BPF_B, BPF_JA, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_MISC, BPF_MOD, BPF_MUL,
    BPF_RET, BPF_RSH, BPF_TAX, BPF_W, BPF_X, BPF_XOR, sock_filter,
};

use super::sticky::{FACTORS, SHIFTS};

/// From asm-generic/socket.h; the same on x86 and ARM.
const SO_ATTACH_REUSEPORT_CBPF: libc::c_int = 51;
const SO_DETACH_REUSEPORT_BPF: libc::c_int = 68;
/// Beyond the end of any group: the kernel falls back to its hash.
const NO_POSITION: u32 = u32::MAX;
/// Positions a program can hold: the kernel takes 4096 instructions, two are needed for each.
const MOST_POSITIONS: usize = 2000;

const RANDOM: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_RANDOM) as u32;
const NETWORK_HEADER: u32 = libc::SKF_NET_OFF as u32;
const IPV4_SOURCE: u32 = 12;
const IPV6_SOURCE: u32 = 8;

/// New connections go to a random one of the sockets at the positions `live` of the group that
/// `group` listens in; with none, to any, by the kernel's hash. Replaces what was attached.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] for more than 2000 positions; `EINVAL` if the socket has no
/// SO_REUSEPORT; `ENOMEM` for a program beyond `net.core.optmem_max` (about 1000 positions where
/// that is 20 KiB).
pub fn attach_random(group: BorrowedFd<'_>, live: &[u32]) -> io::Result<()> {
    attach(group, &random_program(live)?)
}

/// New connections go to the socket at position `table[sticky_slot(client address)]`, so that one
/// client always gets the same socket as long as the table's length and that entry stay
/// the same (see [`sticky_slot`](super::sticky_slot)). Works for IPv4, IPv6, and both on one
/// socket. With an empty table, by the kernel's hash. Replaces what was attached.
///
/// # Errors
/// As [`attach_random`].
pub fn attach_sticky(group: BorrowedFd<'_>, table: &[u32]) -> io::Result<()> {
    attach(group, &sticky_program(table)?)
}

/// Takes any program off the group; the kernel's hash chooses again. Nothing attached is fine.
/// Linux 5.3.
///
/// # Errors
/// The kernel's errno.
pub fn detach(group: BorrowedFd<'_>) -> io::Result<()> {
    let nothing: libc::c_int = 0;
    let length = size_of_val(&nothing) as libc::socklen_t;
    // SAFETY: reads at most one int.
    let result = unsafe {
        libc::setsockopt(
            group.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_DETACH_REUSEPORT_BPF,
            (&raw const nothing).cast(),
            length,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = io::Error::last_os_error();
    if error.raw_os_error() == Some(libc::ENOENT) {
        Ok(())
    } else {
        Err(error)
    }
}

fn attach(group: BorrowedFd<'_>, program: &[sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        // The kernel only reads it.
        filter: program.as_ptr().cast_mut(),
    };
    // SAFETY: a program of the length it says, alive during the call, which copies it.
    let result = unsafe {
        libc::setsockopt(
            group.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_ATTACH_REUSEPORT_CBPF,
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

fn random_program(live: &[u32]) -> io::Result<Vec<sock_filter>> {
    let mut program = vec![step(BPF_LD | BPF_W | BPF_ABS, RANDOM)];
    choose(&mut program, live)?;
    Ok(program)
}

fn sticky_program(table: &[u32]) -> io::Result<Vec<sock_filter>> {
    let load = |offset| {
        step(
            BPF_LD | BPF_W | BPF_ABS,
            NETWORK_HEADER.wrapping_add(offset),
        )
    };
    let to_x = || step(BPF_MISC | BPF_TAX, 0);
    let xor_x = || step(BPF_ALU | BPF_XOR | BPF_X, 0);

    let mut program = vec![
        // The first four bits of the packet are its version.
        step(BPF_LD | BPF_B | BPF_ABS, NETWORK_HEADER),
        step(BPF_ALU | BPF_RSH | BPF_K, 4),
    ];
    let six = [
        load(IPV6_SOURCE),
        to_x(),
        load(IPV6_SOURCE + 4),
        xor_x(),
        to_x(),
        load(IPV6_SOURCE + 8),
        xor_x(),
        to_x(),
        load(IPV6_SOURCE + 12),
        xor_x(),
        step(BPF_JMP | BPF_JA, 1),
    ];
    program.push(jump_unless_equal(6, six.len() as u8));
    program.extend(six);
    program.push(load(IPV4_SOURCE));
    let mix = |shift: u32| [to_x(), step(BPF_ALU | BPF_RSH | BPF_K, shift), xor_x()];
    program.extend(mix(SHIFTS[0]));
    program.push(step(BPF_ALU | BPF_MUL | BPF_K, FACTORS[0]));
    program.extend(mix(SHIFTS[1]));
    program.push(step(BPF_ALU | BPF_MUL | BPF_K, FACTORS[1]));
    program.extend(mix(SHIFTS[2]));
    choose(&mut program, table)?;
    Ok(program)
}

/// The end of a program: the position that the number reached so far stands for.
fn choose(program: &mut Vec<sock_filter>, positions: &[u32]) -> io::Result<()> {
    if positions.len() > MOST_POSITIONS {
        let text = format!(
            "{} positions, at most {MOST_POSITIONS} can be steered",
            positions.len()
        );
        return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
    }
    if !positions.is_empty() {
        program.push(step(BPF_ALU | BPF_MOD | BPF_K, positions.len() as u32));
        for (number, position) in positions.iter().enumerate() {
            program.push(jump_unless_equal(number as u32, 1));
            program.push(step(BPF_RET | BPF_K, *position));
        }
    }
    program.push(step(BPF_RET | BPF_K, NO_POSITION));
    Ok(())
}

fn step(code: u32, k: u32) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt: 0,
        jf: 0,
        k,
    }
}

fn jump_unless_equal(k: u32, skip: u8) -> sock_filter {
    sock_filter {
        code: (BPF_JMP | BPF_JEQ | BPF_K) as u16,
        jt: 0,
        jf: skip,
        k,
    }
}

#[cfg(test)]
mod tests {
    use super::super::sticky_slot;
    use super::*;
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    /// What the kernel would make of `program` and a packet (as far as these programs go).
    fn run(program: &[sock_filter], packet: &[u8]) -> u32 {
        let (mut a, mut x, mut at) = (0_u32, 0_u32, 0_usize);
        let bytes = |offset: u32, count: usize| {
            let offset = offset.wrapping_sub(NETWORK_HEADER) as usize;
            packet[offset..offset + count]
                .iter()
                .fold(0, |sum, byte| sum << 8 | u32::from(*byte))
        };
        loop {
            let sock_filter { code, jf, k, .. } = program[at];
            at += 1;
            match u32::from(code) {
                0x20 => a = bytes(k, 4),
                0x30 => a = bytes(k, 1),
                0x07 => x = a,
                0x74 => a >>= k,
                0xac => a ^= x,
                0x24 => a = a.wrapping_mul(k),
                0x94 => a %= k,
                0x05 => at += k as usize,
                0x15 => at += if a == k { 0 } else { usize::from(jf) },
                0x06 => return k,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    /// The head of a packet: version, source, destination; all else is noise.
    fn packet(client: IpAddr) -> Vec<u8> {
        let mut bytes = vec![0xa5; 64];
        match client {
            IpAddr::V4(address) => {
                bytes[0] = 0x45;
                bytes[12..16].copy_from_slice(&address.octets());
            }
            IpAddr::V6(address) => {
                bytes[0] = 0x6a;
                bytes[8..24].copy_from_slice(&address.octets());
            }
        }
        bytes
    }

    #[test]
    fn the_sticky_program_chooses_what_the_function_says() {
        let table: Vec<u32> = (0..7).map(|slot| 100 + slot).collect();
        let program = sticky_program(&table).unwrap();
        let mut random = 1_u128;
        for _ in 0..500 {
            // Any odd factor will do.
            random = random.wrapping_mul(0xda94_2042_e4dd_58b5_9e37_79b9_7f4a_7c15) ^ random >> 61;
            let (four, six) = (Ipv4Addr::from(random as u32), Ipv6Addr::from(random));
            for client in [IpAddr::from(four), IpAddr::from(six)] {
                let expected = 100 + sticky_slot(client, 7);
                assert_eq!(run(&program, &packet(client)), expected, "{client}");
            }
        }
    }

    #[test]
    fn more_positions_than_a_program_holds_are_refused() {
        let positions: Vec<u32> = (0..=MOST_POSITIONS as u32).collect();
        let refused = random_program(&positions).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        let most = sticky_program(&positions[..MOST_POSITIONS]).unwrap();
        assert!(most.len() <= 4096, "{}", most.len());
    }
}
