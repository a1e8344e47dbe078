//! A program to start, as it travels: numbers in the packet, texts in a memfd.

use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};

use tine_sys::spawn::Spawn;

use crate::packet::{read_sealed, sealed_length};
use crate::protocol::{MAX_STRINGS, Order};
use crate::tables::Refusal;

/// The request that an order and the descriptors beside it make.
pub(crate) fn understand<'fd>(
    order: &Order,
    texts: OwnedFd,
    fds: &'fd [OwnedFd],
) -> Result<Spawn<'fd>, Refusal> {
    let length = sealed_length(texts.as_fd()).ok_or("the texts are not in a sealed memfd")?;
    if length > MAX_STRINGS {
        return Err(format!("{length} bytes of texts; {MAX_STRINGS} at most"));
    }
    let bytes = read_sealed(texts, length).map_err(|error| format!("reading texts: {error}"))?;
    let mut texts = bytes.split_inclusive(|byte| *byte == 0);
    let mut text = || {
        let text = CString::from_vec_with_nul(texts.next()?.to_vec());
        text.ok()
    };
    let mut take = |count: usize| -> Option<Vec<CString>> {
        // Never trusts the count with memory: it stops where the texts end.
        let mut taken = Vec::new();
        for _ in 0..count {
            taken.push(text()?);
        }
        Some(taken)
    };
    let short = || String::from("fewer texts than the order says");
    let program = take(1).and_then(|mut one| one.pop()).ok_or_else(short)?;
    let cwd = take(usize::from(order.cwd)).ok_or_else(short)?.pop();
    let argv = take(order.argv).ok_or_else(short)?;
    let env = take(order.env).ok_or_else(short)?;
    if take(1).is_some() {
        return Err("more texts than the order says".into());
    }
    if argv.is_empty() {
        return Err("the arguments begin with the program's name".into());
    }
    if order.fds.len() != fds.len() {
        return Err(format!(
            "{} descriptor numbers for {} descriptors",
            order.fds.len(),
            fds.len()
        ));
    }
    let numbers = order.fds.iter().copied();
    Ok(Spawn {
        argv,
        env,
        cwd,
        fds: fds.iter().map(AsFd::as_fd).zip(numbers).collect(),
        uid: order.uid,
        gid: order.gid,
        new_group: order.new_group,
        new_session: order.new_session,
        ordinary_scheduling: order.ordinary_scheduling,
        ..Spawn::new(program)
    })
}
