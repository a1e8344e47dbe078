//! What is done about a request? One file for each verb, or for verbs that are alike.

mod act;
mod ask;
mod dump;
mod input;
mod logs;
mod scale;
mod settings;
mod start;

pub(super) use act::end_all;

use super::registry::{Registry, Watcher};
use std::rc::Rc;
use tine_control::server::{Asked, Responder};
use tine_control::{Answer, ErrorCode, Failure, Note, Request};
use tokio::sync::mpsc;

/// Does what is asked, and answers.
pub(super) async fn handle(registry: Rc<Registry>, asked: Asked) {
    let Asked { request, reply, .. } = asked;
    registry.busy.notify_one();
    if registry.is_ending() && matches!(request, Request::Kill(_)) {
        act::hurry(&registry, reply).await;
        return;
    }
    if registry.is_ending() && !matches!(request, Request::Ping(_) | Request::Version(_)) {
        let failure = Failure::new(ErrorCode::Ending, "the daemon is about to end");
        reply.finish(Err::<Answer, _>(failure));
        return;
    }
    match request {
        Request::Ping(_) => reply.finish(Ok(ask::ping())),
        Request::Version(_) => reply.finish(Ok(ask::version(&registry))),
        Request::List(list) => reply.finish(ask::list(&registry, &list)),
        Request::Describe(describe) => reply.finish(ask::describe(&registry, &describe)),
        Request::Env(env) => reply.finish(ask::env(&registry, env)),
        Request::Report(_) => reply.finish(Ok(ask::report(&registry))),
        Request::Start(start) => {
            with_notes(&registry, reply, async |watcher| {
                start::start(&registry, start, watcher).await
            })
            .await
        }
        Request::Stop(stop) => {
            with_notes(&registry, reply, async |watcher| {
                act::stop(&registry, stop, watcher).await
            })
            .await
        }
        Request::Restart(restart) => {
            with_notes(&registry, reply, async |watcher| {
                act::restart(&registry, restart, watcher).await
            })
            .await;
        }
        Request::Reload(reload) => {
            with_notes(&registry, reply, async |watcher| {
                act::reload(&registry, reload, watcher).await
            })
            .await;
        }
        Request::Delete(delete) => {
            with_notes(&registry, reply, async |watcher| {
                act::delete(&registry, delete, watcher).await
            })
            .await;
        }
        Request::Reset(reset) => reply.finish(act::reset(&registry, reset).await),
        Request::Scale(scale) => {
            with_notes(&registry, reply, async |watcher| {
                scale::scale(&registry, scale, watcher).await
            })
            .await
        }
        Request::Signal(signal) => reply.finish(act::signal(&registry, &signal)),
        Request::Send(send) => reply.finish(input::send(&registry, &send).await),
        Request::Attach(attach) => input::attach(&registry, attach, reply).await,
        Request::Logs(logs) => logs::logs(&registry, logs, reply).await,
        Request::Flush(flush) => reply.finish(logs::flush(&registry, &flush)),
        Request::ReloadLogs(_) => reply.finish(Ok(logs::reload_logs(&registry))),
        Request::Save(save) => reply.finish(dump::save(&registry, save)),
        Request::Resurrect(resurrect) => {
            with_notes(&registry, reply, async |watcher| {
                dump::resurrect(&registry, resurrect, watcher).await
            })
            .await;
        }
        Request::ClearDump(_) => reply.finish(dump::clear(&registry)),
        Request::Set(set) => reply.finish(settings::set(&registry, &set)),
        Request::Get(get) => reply.finish(settings::get(&registry, &get)),
        Request::Unset(unset) => reply.finish(settings::unset(&registry, &unset)),
        Request::Conf(_) => reply.finish(settings::conf(&registry)),
        Request::Kill(_) => act::kill(&registry, reply).await,
        // The server answers these itself.
        Request::Subscribe(_) | Request::Cancel(_) => {}
    }
}

/// Tells the client what happens while it waits.
async fn with_notes<A: Into<Answer>>(
    registry: &Registry,
    reply: Responder,
    work: impl AsyncFnOnce(&Watcher) -> Result<A, Failure>,
) {
    let (tell, mut notes) = mpsc::unbounded_channel::<Note>();
    let watcher = registry.watch(tell);
    let mut work = std::pin::pin!(work(&watcher));
    let outcome = loop {
        tokio::select! {
            biased;
            Some(note) = notes.recv() => {
                let _ = reply.note(&note);
            }
            outcome = &mut work => break outcome,
        }
    };
    while let Ok(note) = notes.try_recv() {
        let _ = reply.note(&note);
    }
    reply.finish(outcome);
    // It may have been much; what little follows is given back when it is quiet.
    tine_sys::memory::give_back();
}
