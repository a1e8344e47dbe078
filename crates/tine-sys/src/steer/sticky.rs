//! The choice that [`attach_sticky`](super::attach_sticky) makes in the kernel, in Rust.

use std::net::IpAddr;

/// First and second factor of the mixing: a published pair with low bias ("lowbias32"), so that
/// addresses that differ in one bit fall anywhere.
pub(super) const FACTORS: [u32; 2] = [0x7feb_352d, 0x846c_a68b];
pub(super) const SHIFTS: [u32; 3] = [16, 15, 16];

/// The place in a table of `slots` that connections from `client` get; 0 if `slots` is 0.
///
/// `client` as it is on the wire: a client known as `::ffff:192.0.2.1` comes with IPv4 packets.
#[must_use]
pub fn sticky_slot(client: IpAddr, slots: u32) -> u32 {
    let mut hash = match client {
        IpAddr::V4(address) => u32::from(address),
        IpAddr::V6(address) => {
            let bits = u128::from(address);
            (bits >> 96) as u32 ^ (bits >> 64) as u32 ^ (bits >> 32) as u32 ^ bits as u32
        }
    };
    hash ^= hash >> SHIFTS[0];
    hash = hash.wrapping_mul(FACTORS[0]);
    hash ^= hash >> SHIFTS[1];
    hash = hash.wrapping_mul(FACTORS[1]);
    hash ^= hash >> SHIFTS[2];
    hash.checked_rem(slots).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    #[test]
    fn neighbouring_addresses_spread_over_the_slots() {
        for slots in [2_u32, 3, 4, 8] {
            let mut v4 = vec![0_u32; slots as usize];
            let mut v6 = v4.clone();
            for n in 0..4096_u32 {
                let four = Ipv4Addr::from(0x0a00_0000 + n).into();
                v4[sticky_slot(four, slots) as usize] += 1;
                // Whole networks are handed out, so what differs is in the middle.
                let six = Ipv6Addr::from((0x2001_0db8 << 96) | (u128::from(n) << 64) | 1).into();
                v6[sticky_slot(six, slots) as usize] += 1;
            }
            let expected = 4096 / slots;
            for count in v4.into_iter().chain(v6) {
                assert!(
                    count.abs_diff(expected) < expected / 5,
                    "{count} of {expected}"
                );
            }
        }
        assert_eq!(sticky_slot(Ipv4Addr::LOCALHOST.into(), 0), 0);
    }
}
