//! What is done when the brain asks.

use std::os::fd::{AsFd, OwnedFd};

use crate::link::{Link, Pending, Stage};
use crate::order;
use crate::packet::sealed_length;
use crate::protocol::{Ask, Order, Reply, Request, VERSION};
use crate::standing::Standing;
use crate::tables::{Refusal, State, Tables};

/// Bytes of a text that is answered.
const MAX_TEXT: usize = 4 * 1024;

/// Everything a request can touch.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) tables: Tables,
    pub(crate) standing: Standing,
    pub(crate) finish: bool,
    /// Brains before this one.
    pub(crate) earlier_brains: u64,
}

impl World {
    /// Does what a packet asks for and leaves the answer in the link.
    pub(crate) fn serve(&mut self, link: &mut Link, bytes: &[u8], fds: Vec<OwnedFd>) {
        let ask: Ask = match serde_json::from_slice(bytes) {
            Ok(ask) => ask,
            Err(error) => {
                link.answer(None, refused(format!("not a request: {error}")), None);
                return;
            }
        };
        let token = ask.token;
        if let (Request::List, true, true) = (&ask.request, link.greeted, fds.is_empty()) {
            link.pending = Some(Pending::List(token, Stage::Processes(None)));
            return;
        }
        let (reply, fd) = match self.done(link, ask.request, fds) {
            Ok(done) => done,
            Err(text) => (refused(text), None),
        };
        link.answer(Some(token), reply, fd);
    }

    fn done(
        &mut self,
        link: &mut Link,
        request: Request,
        mut fds: Vec<OwnedFd>,
    ) -> Result<(Reply, Option<OwnedFd>), Refusal> {
        let expected = match &request {
            Request::Spawn(order) => 1 + order.fds.len(),
            Request::Put { names } => names.len(),
            Request::PutState { .. } => 1,
            Request::Hello { .. }
            | Request::Drop { .. }
            | Request::ForgetState { .. }
            | Request::List
            | Request::Ack { .. }
            | Request::Finish => 0,
        };
        if fds.len() != expected {
            let text = format!("{} descriptors came beside it, not {expected}", fds.len());
            return Err(text);
        }
        match request {
            Request::Hello { version } => return self.greet(link, version),
            _ if !link.greeted => return Err("the first request is hello".into()),
            Request::Spawn(order) => return self.spawn(order, fds),
            Request::Put { names } => self.tables.put(names, fds)?,
            Request::Drop { names } => {
                for name in names {
                    self.tables.descriptors.remove(&name);
                }
            }
            Request::PutState { key } => {
                let memfd = fds.pop().ok_or("no memfd came beside it")?;
                let length = sealed_length(memfd.as_fd()).ok_or("not a sealed memfd")?;
                self.tables.put_state(key, State { memfd, length })?;
            }
            Request::ForgetState { key } => {
                self.tables.states.remove(&key);
            }
            Request::Ack { exits } => {
                for seq in exits {
                    self.tables.acknowledge(seq);
                }
            }
            Request::Finish => self.finish = true,
            Request::List => return Err("a list has no descriptors beside it".into()),
        }
        Ok((Reply::Done, None))
    }

    fn greet(
        &mut self,
        link: &mut Link,
        version: u32,
    ) -> Result<(Reply, Option<OwnedFd>), Refusal> {
        if version != VERSION {
            return Err(format!("version {version}; this keeper speaks {VERSION}"));
        }
        link.greeted = true;
        let welcome = Reply::Welcome {
            version: VERSION,
            earlier_brains: self.earlier_brains,
        };
        Ok((welcome, None))
    }

    fn spawn(
        &mut self,
        order: Order,
        mut fds: Vec<OwnedFd>,
    ) -> Result<(Reply, Option<OwnedFd>), Refusal> {
        self.tables.check_process(&order.name)?;
        let texts = fds.remove(0);
        let mut request = order::understand(&order, texts, &fds)?;
        request.nofile = Some(self.standing.original_limit());
        match self.standing.spawn(&request) {
            Ok(child) => {
                self.tables.started(order.name, child.pid);
                let pid = child.pid.as_raw_pid();
                Ok((Reply::Spawned { pid }, Some(child.pidfd)))
            }
            Err(error) => {
                let failed = Reply::SpawnFailed {
                    step: error.step.into(),
                    errno: error.errno.raw_os_error(),
                    text: cut(error.to_string()),
                };
                Ok((failed, None))
            }
        }
    }
}

pub(crate) fn refused(text: String) -> Reply {
    Reply::Refused { text: cut(text) }
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX_TEXT));
    text
}
