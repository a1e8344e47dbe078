//! What do the options of a command line mean for an app?

use crate::args::BalanceWord;
use crate::args::app::{AppOptions, ExecModeWord, LogTypeWord};
use crate::ui::Ui;
use std::path::Path;
use tine_config::{LogFile, Options, Words};
use tine_control::{Balance, ExecMode, FilterEnv, LogType};

/// The options in plain data. What was not given is `None`.
pub(crate) fn options(args: &AppOptions, arguments: &[String]) -> Options {
    let path = |path: &Option<std::path::PathBuf>| path.as_deref().map(text);
    let yes = |given: bool| given.then_some(true);
    let no = |given: bool| given.then_some(false);
    let (life, logs) = (&args.life, &args.logs);
    Options {
        name: args.name.clone(),
        namespace: args.namespace.clone(),
        cwd: path(&args.cwd),
        args: (!arguments.is_empty()).then(|| Words::List(arguments.to_vec())),
        interpreter: args.interpreter.clone(),
        interpreter_args: args.interpreter_args.clone().map(Words::Line),
        execute_command: yes(args.execute_command),
        exec_mode: args.exec_mode.map(|word| match word {
            ExecModeWord::Fork => ExecMode::Fork,
            ExecModeWord::Cluster => ExecMode::Cluster,
        }),
        instances: args.instances,
        balance: args.balance.map(balance),
        uid: args.uid.clone(),
        gid: args.gid.clone(),
        filter_env: (!args.filter_env.is_empty())
            .then(|| FilterEnv::Containing(args.filter_env.clone())),
        autostart: no(life.no_autostart),
        autorestart: no(life.no_autorestart),
        max_restarts: life.max_restarts,
        min_uptime: life.min_uptime,
        restart_delay: life.restart_delay,
        exp_backoff_restart_delay: life.exp_backoff_restart_delay,
        stop_exit_codes: (!life.stop_exit_codes.is_empty()).then(|| life.stop_exit_codes.clone()),
        kill_timeout: life.kill_timeout,
        stop_signal: life.stop_signal.clone(),
        shutdown_with_message: yes(life.shutdown_with_message),
        treekill: no(life.no_treekill),
        wait_ready: yes(life.wait_ready),
        listen_timeout: life.listen_timeout,
        source_map_support: yes(life.source_map_support).or(no(life.disable_source_map_support)),
        pid_file: path(&life.pid),
        out_file: path(&logs.output),
        error_file: path(&logs.error),
        log_file: logs.log.as_ref().map(|file| match file {
            Some(file) => LogFile::At(text(file)),
            None => LogFile::Default,
        }),
        merge_logs: yes(logs.merge_logs),
        log_type: logs.log_type.map(|word| match word {
            LogTypeWord::Raw => LogType::Raw,
            LogTypeWord::Json => LogType::Json,
        }),
        log_date_format: logs.log_date_format.clone(),
        time: yes(logs.time),
        disable_logs: yes(logs.disable_logs),
        ..Options::default()
    }
}

/// Says which options were given without which nothing is lost.
pub(crate) fn warn_of_needless(args: &AppOptions, ui: Ui) {
    for option in args.needless.given() {
        let reason = tine_control::refused::option(option).map_or("", |refused| refused.reason);
        ui.warn(&format!("{option} changes nothing: {reason}"));
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn balance(word: BalanceWord) -> Balance {
    match word {
        BalanceWord::Auto => Balance::Auto,
        BalanceWord::Rr => Balance::Rr,
        BalanceWord::Least => Balance::Least,
        BalanceWord::Shared => Balance::Shared,
        BalanceWord::Kernel => Balance::Kernel,
        BalanceWord::Sticky => Balance::Sticky,
    }
}
