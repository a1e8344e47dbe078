//! How is a process asked to leave?

use crate::case::Step::{File, Gone, Lives, Look, LookEach, Names, Run};
use crate::case::differs;

const LEAVES_BY_ITSELF: &str = "
require('fs').writeFileSync('up', 'up\\n');
process.on('SIGINT', () => { require('fs').writeFileSync('said', 'SIGINT\\n'); process.exit(0); });
setInterval(() => {}, 1e6);
";

const IGNORES: &str = "
process.on('SIGINT', () => require('fs').appendFileSync('said', 'SIGINT\\n'));
require('fs').writeFileSync('up', 'up\\n');
setInterval(() => {}, 1e6);
";

const HEARS_MESSAGES: &str = "
process.on('message', (message) => {
    if (message !== 'shutdown') return;
    require('fs').writeFileSync('said', 'shutdown\\n');
    process.exit(0);
});
process.on('SIGINT', () => require('fs').writeFileSync('said', 'SIGINT\\n'));
require('fs').writeFileSync('up', 'up\\n');
setInterval(() => {}, 1e6);
";

const HAS_CHILDREN: &str = "
const { spawn } = require('child_process');
const fs = require('fs');
const child = spawn('sleep', ['1000']);
fs.writeFileSync('child', child.pid + '\\n');
const own = spawn('sleep', ['1000'], { detached: true });
fs.writeFileSync('own', own.pid + '\\n');
fs.writeFileSync('up', 'up\\n');
setInterval(() => {}, 1e6);
";

const READY: &str = "
const wait = () => {
    if (require('fs').existsSync('go')) process.send('ready');
    else setTimeout(wait, 20);
};
wait();
setInterval(() => {}, 1e6);
";
use crate::differences::Difference::WaitReady;

cases! {
    it_is_interrupted {
        files: [("app.js", LEAVES_BY_ITSELF)],
        steps: [
            Run("start app.js"),
            File("up"),
            Run("stop app"),
            Look("app stopped/0"),
            File("said"),
            Names("home/pids", 0),
        ],
    }

    one_that_does_not_leave_is_killed {
        files: [("app.js", IGNORES)],
        steps: [Run("start app.js"), File("up"), Run("stop app"), Look("app stopped/0"), File("said")],
    }

    one_has_the_time_that_it_was_given {
        files: [("app.js", IGNORES)],
        steps: [
            Run("start app.js --kill-timeout 300"),
            File("up"),
            Run("restart app"),
            Look("app online/1"),
            File("said"),
        ],
    }

    one_is_asked_by_a_message {
        files: [("app.js", HEARS_MESSAGES)],
        steps: [
            Run("start app.js --shutdown-with-message"),
            File("up"),
            Run("stop app"),
            Look("app stopped/0"),
            File("said"),
        ],
    }

    one_of_a_cluster_is_asked_by_a_message {
        files: [("app.js", HEARS_MESSAGES)],
        steps: [
            Run("start app.js -i 1 --shutdown-with-message"),
            File("up"),
            Run("stop app"),
            Look("app stopped/0"),
            File("said"),
        ],
    }

    children_are_ended_too {
        files: [("app.js", HAS_CHILDREN)],
        steps: [Run("start app.js"), File("up"), Run("stop app"), Gone("child"), Gone("own"), Look("app stopped/0")],
    }

    children_of_a_shell_are_ended_too {
        steps: [
            Run("start 'sleep 1000 & echo $! > child; wait' --name shell"),
            Look("shell online/0"),
            Lives("child"),
            Run("delete shell"),
            Gone("child"),
            Look(""),
        ],
    }

    children_are_left_without_treekill {
        files: [("app.js", HAS_CHILDREN)],
        steps: [Run("start app.js --no-treekill"), File("up"), Run("stop app"), Look("app stopped/0"), Lives("own"), Lives("child")],
    }

    one_that_says_when_it_is_ready {
        files: [("app.js", READY), ("go", "")],
        steps: [Run("start app.js --wait-ready --listen-timeout 20000"), Look("app online/0")],
    }

    one_that_never_says_that_it_is_ready {
        files: [("app.js", READY)],
        steps: [Run("start app.js --wait-ready --listen-timeout 500"), LookEach { pm2: "app online/0", tine: "app launching/0" }],
        differs: [
            differs(WaitReady, "1 start * | exit", "0", "1"),
            differs(WaitReady, "2 list | app.0 status", "online", "launching"),
        ],
    }
}
