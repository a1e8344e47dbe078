//! The brain: does the world match what was asked?
//!
//! It may be killed at any instant; the keeper starts the next one, which takes back all that there
//! is and goes on.
//!
//! | question | file |
//! |---|---|
//! | How does it begin and end? | `mod.rs` |
//! | What is there, and who is told of it? | `registry.rs` |
//! | What is one app, and who looks after it? | `app.rs` |
//! | What is done about what its machine says? | `act.rs` |
//! | What is executed? | `program.rs` |
//! | How is a process ordered? | `process.rs` |
//! | Where does its output go? | `output.rs` |
//! | What did it leave behind? | `orphans.rs` |
//! | What would the next brain have to know? | `deposit.rs`, `take_back.rs` |
//! | How does it speak to the keeper? | `link.rs` |
//! | Which processes are meant? | `target.rs` |
//! | What is done about a request? | `verb/` |
//! | How is it said in words? | `words.rs` |
//! | Which Node is it? | `versions.rs` |

mod act;
mod app;
mod clock;
mod deposit;
mod link;
mod orphans;
mod output;
mod process;
mod program;
mod registry;
mod take_back;
mod target;
mod verb;
mod versions;
mod words;

use crate::home::Home;
use crate::role::{CONTROL_NAME, LOCK_NAME};
use clock::log;
use registry::Registry;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;
use tine_control::What;
use tine_control::event::DaemonStage;
use tine_control::server::{self, Asked, Rules};
use tine_keeper::client::{Client, Inventory};
use tokio::net::UnixListener;
use tokio::sync::mpsc;

/// The keeper answers at once, unless the machine is very busy.
const PATIENCE: Duration = Duration::from_secs(10);
/// So long after somebody asked for something, the memory that it took is given back.
const QUIET: Duration = Duration::from_secs(1);
/// The system refused something that nothing works without.
const SYSTEM: u8 = 4;

/// Is the brain until there is no reason left to be one. Started by a keeper, from the only thread.
pub(crate) fn run(home: &Home) -> ExitCode {
    // Half a brain is worse than the next one.
    std::panic::set_hook(Box::new(|panic| {
        log(format_args!("{panic}"));
        std::process::abort();
    }));
    match begin(home) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log(format_args!("the brain cannot go on: {error}"));
            ExitCode::from(SYSTEM)
        }
    }
}

type Error = Box<dyn std::error::Error>;

fn begin(home: &Home) -> Result<(), Error> {
    let client = Client::from_environment()?.ok_or("it was not started by a keeper")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let local = tokio::task::LocalSet::new();
    let outcome = local.block_on(&runtime, live(home.clone(), client));
    runtime.shutdown_background();
    outcome
}

async fn live(home: Home, mut client: Client) -> Result<(), Error> {
    let earlier_brains = client.hello(PATIENCE)?;
    let mut held = client.list(PATIENCE)?;
    let listener = take(&mut held, CONTROL_NAME).ok_or("the keeper has no control socket")?;
    // Held as long as this brain lives: the home is free when keeper and brain have ended.
    let _lock = take(&mut held, LOCK_NAME);
    let listener = std::os::unix::net::UnixListener::from(listener);
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;

    let link = link::Link::new(client);
    let registry = Registry::new(home, link.clone(), take_back::daemon(&held));
    take_back::all(&registry, held);
    tokio::task::spawn_local(link.carry(Rc::downgrade(&registry)));
    let orphans = registry.clone();
    tokio::task::spawn_local(async move { orphans.orphans.carry().await });
    if earlier_brains > 0 {
        log(format_args!("back after {earlier_brains} before this one"));
        registry.publish(What::Daemon {
            stage: DaemonStage::Returned,
        });
    }

    let busy = registry.clone();
    tokio::task::spawn_local(async move {
        // What the beginning took will not be needed again.
        tine_sys::memory::give_back();
        busy.busy.notify_one();
        loop {
            busy.busy.notified().await;
            tokio::time::sleep(QUIET).await;
            tine_sys::memory::give_back();
        }
    });

    let (ask, mut asked) = mpsc::unbounded_channel::<Asked>();
    let requests = registry.clone();
    tokio::task::spawn_local(async move {
        while let Some(asked) = asked.recv().await {
            tokio::task::spawn_local(verb::handle(requests.clone(), asked));
        }
    });
    let signals = registry.clone();
    tokio::task::spawn_local(async move {
        if let Err(error) = until_asked_to_end(&signals).await {
            log(format_args!("listening for signals: {error}"));
            return;
        }
        verb::end_all(&signals).await;
        signals.ending.end();
    });

    let handler = move |asked| {
        // Nobody listens any more only when all ends.
        let _ = ask.send(asked);
    };
    let rules = Rules::of_this_process(env!("CARGO_PKG_VERSION"));
    let (events, ending) = (registry.events.clone(), registry.ending.clone());
    server::serve(listener, rules, events, handler, &ending).await?;
    let _ = std::fs::remove_file(registry.home.control_socket());
    log(format_args!("ended"));
    Ok(())
}

/// Waits until somebody wants the daemon to end.
async fn until_asked_to_end(registry: &Registry) -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // A terminal that goes is no reason to end.
    let mut hang_up = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            () = registry.terminated.notified() => return Ok(()),
            _ = hang_up.recv() => {}
        }
    }
}

fn take(held: &mut Inventory, name: &str) -> Option<OwnedFd> {
    let at = held.descriptors.iter().position(|(own, _)| own == name)?;
    Some(held.descriptors.remove(at).1)
}
