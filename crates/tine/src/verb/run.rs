//! `tine run`: one app in the foreground.

mod command;
mod words;

use crate::args::{BalanceWord, Run};
use crate::exit;
use command::Resolved;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tine_daemon::foreground::{self, Output, Stream};
use tine_daemon::rules::{AppRules, Outcome, RestartRules, StopRules};
use tine_daemon::{AppSpec, Balance, Policy};
use words::Words;

/// A reader of our output who has stopped reading is not waited for longer than this at the end.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// More workers than this for each core are a slip of the finger, and would take the machine down.
const PER_CORE: usize = 64;
/// But so many are allowed on any machine.
const LEAST_LIMIT: usize = 256;

/// Runs the app until it has ended; the exit code says how.
pub(crate) fn run(args: Run, inherited: BTreeMap<i32, OwnedFd>, silent: bool) -> u8 {
    let resolved = match command::resolve(&args) {
        Ok(resolved) => resolved,
        Err(error) => {
            eprintln!("error: {error}");
            return exit::CANNOT_START;
        }
    };
    let cores = tine_daemon::usable_cores();
    let wanted = args
        .instances
        .map_or(1, |instances| instances.resolve(cores));
    let most = (PER_CORE * cores).max(LEAST_LIMIT);
    if wanted > most {
        eprintln!("error: {wanted} workers on {cores} cores: at most {most}");
        eprintln!("hint: -i 0 starts one worker for each core that this process may use");
        return exit::USAGE;
    }
    let output = match Output::start() {
        Ok(output) => output,
        Err(error) => {
            eprintln!("error: starting the thread that writes output: {error}");
            return exit::SYSTEM;
        }
    };
    let spec = spec(&args, resolved, wanted);
    let mut words = Words::new(&spec, silent);
    output.push(Stream::Err, words.begin(&spec).into_bytes());
    let ended = foreground::block_on(spec, inherited, &mut words, output.clone());
    let code = match ended {
        Ok(Outcome::Stopped) => exit::DONE,
        Ok(Outcome::Forced) => exit::FORCED,
        Ok(Outcome::AllErrored) => {
            output.push(Stream::Err, words.given_up().into_bytes());
            exit::APP_FAILED
        }
        Ok(Outcome::AllFinished { codes }) => codes
            .iter()
            .map(|end| match (end.code, end.signal) {
                (Some(code), _) => u8::try_from(code & 0xff).unwrap_or(1),
                (None, Some(signal)) => u8::try_from(128 + signal).unwrap_or(255),
                (None, None) => exit::APP_FAILED,
            })
            .find(|code| *code != 0)
            .unwrap_or(exit::DONE),
        Err(error) => {
            output.push(Stream::Err, format!("error: {error}\n").into_bytes());
            exit::SYSTEM
        }
    };
    output.finish(LAST_WORDS);
    code
}

fn spec(args: &Run, resolved: Resolved, instances: usize) -> AppSpec {
    let balance = match args.balance {
        BalanceWord::Rr => Balance::Fixed(Policy::RoundRobin),
        BalanceWord::Least => Balance::Fixed(Policy::Least),
        BalanceWord::Shared => Balance::Fixed(Policy::Shared),
        BalanceWord::Kernel => Balance::Fixed(Policy::Kernel),
        BalanceWord::Sticky => Balance::Fixed(Policy::Sticky),
        BalanceWord::Auto => std::env::var("NODE_CLUSTER_SCHED_POLICY")
            .ok()
            .and_then(|policy| Policy::of_node(&policy))
            .map_or(Balance::Auto, Balance::Fixed),
    };
    AppSpec {
        name: args.name.clone().unwrap_or(resolved.name),
        program: resolved.program,
        arguments: resolved.arguments,
        environment: std::env::vars_os().collect(),
        folder: resolved.folder,
        clustered: args.instances.is_some() && resolved.may_be_clustered,
        channel: resolved.speaks_ipc,
        balance,
        dialect: resolved.dialect,
        rules: AppRules {
            instances,
            restart: RestartRules {
                autorestart: !args.no_autorestart,
                min_uptime: args.min_uptime,
                max_restarts: args.max_restarts,
                restart_delay: args.restart_delay,
                stop_exit_codes: args.stop_exit_codes.clone(),
            },
            stop: StopRules {
                signal: args.stop_signal,
                kill_timeout: args.kill_timeout,
            },
        },
    }
}
