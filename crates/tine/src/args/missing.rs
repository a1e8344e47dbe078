//! Which commands and options of PM2 are not there, and why?
//!
//! Options that belong to a field of an app are in `tine_control::refused`.

/// Commands of PM2 that are not there: their names, and why, as a lower-case fragment.
pub(crate) const VERBS: &[(&[&str], &str)] = &[
    (
        &["monit", "dashboard", "dash", "imonit"],
        "the live view is not there yet; `tine list --watch` and `tine logs` show what happens",
    ),
    (
        &["startup", "unstartup"],
        "starting at boot is not there yet; a unit of systemd can run `tine resurrect`",
    ),
    (
        &["update", "updatePM2", "deepUpdate"],
        "exchanging the program of a running daemon is not there yet; `tine save`, `tine kill` and \
         `tine resurrect` do it with a break",
    ),
    (
        &["deploy"],
        "deploying is not there yet; call `tine apply FILE` at the end of what deploys",
    ),
    (
        &["trigger", "inspect"],
        "actions of programs that speak PM2's agent are not there yet",
    ),
    (
        &["slist", "sysinfos"],
        "figures of the machine are not there yet; `tine report` has those of the daemon",
    ),
    (
        &["logrotate"],
        "rotating logs is not there yet; logrotate(8) can do it and then call `tine reloadLogs`",
    ),
    (
        &["pull", "forward", "backward"],
        "tine does not update repositories; update it and call `tine reload NAME`",
    ),
    (
        &["profile:cpu", "profile:mem"],
        "the daemon is no JavaScript program; perf(1) can look into it",
    ),
    (
        &[
            "install",
            "module:install",
            "uninstall",
            "module:uninstall",
            "module:update",
            "module:generate",
            "package",
            "publish",
            "module:publish",
            "autoinstall",
        ],
        "PM2's modules are not there; a program of yours can be started like any other app",
    ),
    (
        &[
            "link",
            "unlink",
            "monitor",
            "unmonitor",
            "open",
            "plus",
            "register",
            "login",
            "logout",
            "interact",
        ],
        "PM2 Plus is not there; nothing is sent to anybody",
    ),
    (
        &["install-otel", "uninstall-otel"],
        "agents are not put into programs; start the program with its own",
    ),
    (
        &["create", "examples"],
        "samples are not there; `tine init` writes a process file and `tine --help` has the verbs",
    ),
    (
        &["web", "gracefulReload"],
        "PM2 itself does not have it any more; there are `tine jlist` and `tine reload`",
    ),
];

const BOOT: &str = "starting at boot is not there yet; a unit of systemd can run `tine resurrect`";
const IMAGES: &str = "building images is not there; in one, `tine run` is a good first process";

/// Options of PM2 that are not there: their names, and why.
const OPTIONS: &[(&[&str], &str)] = &[
    (
        &["--no-daemon"],
        "the daemon does not run in the foreground; `tine run` runs one app there",
    ),
    (&["--hp", "--wait-ip", "--service-name"], BOOT),
    (
        &[
            "--fresh",
            "--daemon",
            "--container",
            "--dist",
            "--image-name",
            "--node-version",
            "--dockerdaemon",
        ],
        IMAGES,
    ),
    (
        &["--secret", "--public", "--machine-name"],
        "PM2 Plus is not there; nothing is sent to anybody",
    ),
    (
        &["--tree", "-t"],
        "figures of the machine are not there yet",
    ),
];

/// Why this option of PM2, given with its dashes, is not there.
pub(crate) fn option(word: &str) -> Option<&'static str> {
    // The shell may have joined a value to it.
    let word = word.split('=').next().unwrap_or(word);
    if let Some(refused) = tine_control::refused::option(word) {
        return Some(refused.reason);
    }
    let found = OPTIONS.iter().find(|(names, _)| names.contains(&word))?;
    Some(found.1)
}

/// Why this command of PM2 is not there.
pub(crate) fn verb(word: &str) -> Option<&'static str> {
    let found = VERBS.iter().find(|(names, _)| names.contains(&word))?;
    Some(found.1)
}
