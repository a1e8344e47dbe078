//! What is this process, if not the command line? The keeper or the brain of a home.

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::ExitCode;

use tine_control::server::listen;
use tine_keeper::{BrainProgram, Options};
use tine_sys::inherited::take_channel;
use tine_sys::spawn::spawn;

use crate::home::Home;
use crate::launch::{
    DETACH_VARIABLE, LISTENER_VARIABLE, LOCK_VARIABLE, LaunchError, environment, holder,
    keeper as program, open_lock, open_log, own_program, try_lock,
};

/// The name under which the keeper holds the socket that clients connect to.
pub const CONTROL_NAME: &str = "control";
/// The name under which the keeper holds the lock of the home.
pub const LOCK_NAME: &str = "lock";
/// The system refused something that nothing works without.
const SYSTEM: u8 = 4;

/// Is the keeper of this home until there is no reason left to be one: what `tine keeper --home
/// HOME` does. Call it first thing in `main`, from the only thread, before anything takes
/// inherited descriptors.
///
/// Started by [`launch::ensure`](crate::launch::ensure) it has the socket and the lock, and stands
/// alone. Started by anybody else (a service manager, a container) it takes the lock and makes the
/// socket itself and stays in the foreground; it is refused when there is a daemon already.
#[must_use]
pub fn keeper(home: &Home) -> ExitCode {
    // Apps would inherit what the shell that started us ignores.
    tine_sys::exec::stop_ignoring();
    match prepare(home) {
        Ok(Some(options)) => tine_keeper::run(options),
        Ok(None) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let hint = error.hint();
            if !hint.is_empty() {
                eprintln!("hint: {hint}");
            }
            ExitCode::from(SYSTEM)
        }
    }
}

/// Is the brain of this home: what `tine brain --home HOME` does, started by the keeper. Call it
/// first thing in `main`, from the only thread, before anything takes inherited descriptors.
#[must_use]
pub fn brain(home: &Home) -> ExitCode {
    crate::brain::run(home)
}

/// How the keeper is to be; nothing when another process of ours is the keeper instead.
fn prepare(home: &Home) -> Result<Option<Options>, LaunchError> {
    let given = (given(home, LISTENER_VARIABLE)?, given(home, LOCK_VARIABLE)?);
    let binary = own_program().map_err(|error| LaunchError::Refused {
        doing: "find this program by",
        path: "/proc/self/exe".into(),
        error,
    })?;
    let (listener, lock) = match given {
        (Some(listener), Some(lock)) => {
            if std::env::var_os(DETACH_VARIABLE).is_some() {
                detach(home, &binary, &listener, &lock)?;
                return Ok(None);
            }
            (listener, lock)
        }
        _ => take(home)?,
    };
    write_down(&lock);
    let log = OwnedFd::from(open_log(home)?);
    let brain = brain_program(home, &binary)?;
    // The home's file system and the caller's folder have nothing to do with each other.
    let _ = std::env::set_current_dir("/");
    let mut options = Options::new(brain, log);
    options.descriptors = vec![
        (CONTROL_NAME.to_owned(), listener),
        (LOCK_NAME.to_owned(), lock),
    ];
    Ok(Some(options))
}

fn given(home: &Home, variable: &str) -> Result<Option<OwnedFd>, LaunchError> {
    take_channel(variable).map_err(|error| LaunchError::Refused {
        doing: "take over the descriptors for",
        path: home.folder().to_owned(),
        error,
    })
}

/// Starts itself once more, as nobody's child: this process ends, and whoever started it has
/// nothing to wait for.
fn detach(
    home: &Home,
    binary: &Path,
    listener: &OwnedFd,
    lock: &OwnedFd,
) -> Result<(), LaunchError> {
    const NUMBERS: (i32, i32) = (3, 4);
    let mut env = environment();
    env.push((LISTENER_VARIABLE.into(), NUMBERS.0.to_string().into()));
    env.push((LOCK_VARIABLE.into(), NUMBERS.1.to_string().into()));
    let mut request = program(home, binary, &env)?;
    request.fds = vec![(listener.as_fd(), NUMBERS.0), (lock.as_fd(), NUMBERS.1)];
    spawn(&request)?;
    Ok(())
}

/// The socket and the lock, when nobody has given them.
fn take(home: &Home) -> Result<(OwnedFd, OwnedFd), LaunchError> {
    home.prepare()?;
    let lock = open_lock(home)?;
    if !try_lock(home, &lock)? {
        return Err(LaunchError::Taken {
            path: home.folder().to_owned(),
            holder: holder(home),
        });
    }
    let listener = listen(&home.control_socket())?;
    Ok((listener.into(), lock))
}

/// Writes this process's number into the lock file, for people. Without, all works as well.
fn write_down(lock: &OwnedFd) {
    let _ = rustix::fs::ftruncate(lock, 0);
    let line = format!("{}\n", std::process::id());
    let _ = rustix::io::pwrite(lock, line.as_bytes(), 0);
}

fn brain_program(home: &Home, binary: &Path) -> Result<BrainProgram, LaunchError> {
    let text = |bytes: &[u8]| {
        CString::new(bytes).map_err(|error| LaunchError::Refused {
            doing: "execute",
            path: binary.to_owned(),
            error: io::Error::from(error),
        })
    };
    let env = environment().into_iter().map(|(name, value)| {
        let line = [name.as_bytes(), b"=", value.as_bytes()].concat();
        text(&line)
    });
    Ok(BrainProgram {
        program: text(binary.as_os_str().as_bytes())?,
        argv: vec![
            text(binary.as_os_str().as_bytes())?,
            text(b"brain")?,
            text(b"--home")?,
            text(home.folder().as_os_str().as_bytes())?,
        ],
        env: env.collect::<Result<_, _>>()?,
        cwd: Some(text(b"/")?),
    })
}
