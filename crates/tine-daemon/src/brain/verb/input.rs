//! send, attach: what do processes hear?

use super::super::output::Wants;
use super::super::registry::Registry;
use super::super::target;
use super::super::words;
use std::os::fd::AsFd;
use tine_control::reply::{Acted, Done};
use tine_control::request::{Attach, Send, Stream};
use tine_control::server::Responder;
use tine_control::{Answer, ErrorCode, Failure, Target, Who};

pub(super) async fn send(registry: &Registry, send: &Send) -> Result<Acted, Failure> {
    let meant = target::some(registry, &send.target)?;
    let mut acted = Acted {
        done: true,
        ..Acted::default()
    };
    let line = format!("{}\n", send.line);
    for meant in &meant {
        let core = meant.app.core.borrow();
        for slot in &meant.slots {
            if let Err(text) = write(&core, *slot, line.as_bytes()) {
                acted.failed.push(words::failed(&core, *slot, text));
            }
        }
    }
    acted.processes = super::act::show(&meant);
    Ok(acted)
}

/// Writes to the standard input of a process, at once or not at all.
fn write(core: &super::super::app::Core, slot: u32, line: &[u8]) -> Result<(), String> {
    let Some(process) = core.process(slot) else {
        return Err("it does not run".to_owned());
    };
    let Some(stdin) = &process.stdin else {
        return Err("its standard input is closed".to_owned());
    };
    match rustix::io::write(stdin.as_fd(), line) {
        Ok(count) if count == line.len() => Ok(()),
        Ok(_) => Err("only a part of the line was taken: it does not read".to_owned()),
        Err(rustix::io::Errno::AGAIN) => Err("it does not read its standard input".to_owned()),
        Err(error) => Err(format!("writing to its standard input: {error}")),
    }
}

/// All lines of one process.
#[derive(Debug)]
struct Of(u32);

impl Wants for Of {
    fn wants(&self, who: &Who, _stream: Stream) -> bool {
        who.id == self.0
    }
}

pub(super) async fn attach(registry: &Registry, attach: Attach, reply: Responder) {
    if let Err(failure) = target::some(registry, &Target::Id(attach.process)) {
        return reply.finish(Err::<Answer, _>(failure));
    }
    let there = registry.apps().iter().any(|app| {
        let core = app.core.borrow();
        let slot = core
            .slots
            .iter()
            .find(|(_, entry)| entry.id == attach.process);
        slot.is_some_and(|(slot, _)| core.process(*slot).is_some())
    });
    if !there {
        let text = format!("the process {} does not run", attach.process);
        let failure = Failure::new(ErrorCode::Unsupported, text).hint("start it first");
        return reply.finish(Err::<Answer, _>(failure));
    }
    let (_follower, mut lines) = registry.followers.follow(Box::new(Of(attach.process)));
    loop {
        tokio::select! {
            () = reply.cancelled() => break,
            note = lines.recv() => {
                let Some(note) = note else { break };
                if reply.has_room().await.is_err() || reply.note(&note).is_err() {
                    break;
                }
            }
        }
    }
    reply.finish(Ok(Done {}));
}
