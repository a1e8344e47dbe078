//! What is answered?

use crate::case::Step::{Fails, Fields, File, Look, Names, Prints, Run};
use crate::case::differs;
use crate::differences::Difference::{InitAgain, NoDaemon, OtherFields};
use crate::programs::{IDLE, SERVER};

/// What tools around PM2 read (exporters, dashboards, deployment scripts).
const READ: &[&str] = &[
    "/pid",
    "/name",
    "/pm_id",
    "/monit/cpu",
    "/monit/memory",
    "/pm2_env/name",
    "/pm2_env/namespace",
    "/pm2_env/pm_id",
    "/pm2_env/status",
    "/pm2_env/restart_time",
    "/pm2_env/unstable_restarts",
    "/pm2_env/pm_uptime",
    "/pm2_env/created_at",
    "/pm2_env/exec_mode",
    "/pm2_env/exec_interpreter",
    "/pm2_env/instances",
    "/pm2_env/NODE_APP_INSTANCE",
    "/pm2_env/node_version",
    "/pm2_env/version",
    "/pm2_env/pm_exec_path",
    "/pm2_env/pm_cwd",
    "/pm2_env/pm_out_log_path",
    "/pm2_env/pm_err_log_path",
    "/pm2_env/pm_pid_path",
    "/pm2_env/exit_code",
    "/pm2_env/axm_monitor",
    "/pm2_env/axm_actions",
    "/pm2_env/axm_options",
    "/pm2_env/axm_dynamic",
    "/pm2_env/username",
    "/pm2_env/env",
    "/pm2_env/env/FROM_SHELL",
    "/pm2_env/FROM_SHELL",
    "/pm2_env/args",
    "/pm2_env/node_args",
    "/pm2_env/watch",
    "/pm2_env/autorestart",
    "/pm2_env/autostart",
    "/pm2_env/treekill",
    "/pm2_env/vizion",
    "/pm2_env/pmx",
    "/pm2_env/automation",
    "/pm2_env/windowsHide",
    "/pm2_env/km_link",
    "/pm2_env/vizion_running",
    "/pm2_env/instance_var",
    "/pm2_env/filter_env",
    "/pm2_env/kill_retry_time",
    "/pm2_env/unique_id",
];

const WRITES_WHAT_IT_READS: &str = "
require('fs').writeFileSync('up', 'up\\n');
process.stdin.once('data', (data) => require('fs').writeFileSync('said', data));
process.on('SIGUSR2', () => require('fs').writeFileSync('signal', 'SIGUSR2\\n'));
setInterval(() => {}, 1e6);
";

cases! {
    fields_of_a_program_in_jlist {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js -- one"), Run("restart app"), Look("app online/1"), Fields(READ)],
        differs: [
            differs(OtherFields, "* /pm2_env/unique_id", "text", "absent"),
        ],
    }

    fields_of_a_cluster_in_jlist {
        files: [("app.js", SERVER)],
        steps: [Run("start app.js -i 2"), Look("app online/0; app online/0"), Fields(READ)],
        differs: [
            differs(OtherFields, "* /pm2_env/args", "absent", "array"),
            differs(OtherFields, "* /pm2_env/unique_id", "text", "absent"),
        ],
    }

    fields_of_a_stopped_one_in_jlist {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Run("stop app"), Look("app stopped/0"), Fields(READ)],
        differs: [
            differs(OtherFields, "* /pm2_env/args", "absent", "array"),
            differs(OtherFields, "* /pm2_env/unique_id", "text", "absent"),
        ],
    }

    an_empty_list {
        steps: [Run("ping"), Prints("jlist"), Prints("prettylist"), Run("list"), Run("ls"), Run("ps"), Run("status")],
        differs: [
            differs(NoDaemon, "1 ping | exit", "0", "6"),
        ],
    }

    is_it_there {
        files: [("app.js", IDLE)],
        steps: [Run("start app.js"), Run("ping")],
    }

    ids_of_a_name {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js --name web -x -i 2"),
            Prints("id web"),
            Prints("id nobody"),
        ],
    }

    pids {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Run("pid app"),
            Run("pid"),
            Run("stop app"),
            Prints("pid app"),
            Prints("pid nobody"),
        ],
    }

    describe {
        files: [("app.js", IDLE)],
        steps: [
            Run("start app.js"),
            Run("describe app"),
            Run("show 0"),
            Run("info app"),
            Run("desc app"),
            Fails("describe nobody", 5),
            Fails("describe 7", 5),
        ],
    }

    a_line_for_its_input {
        files: [("app.js", WRITES_WHAT_IT_READS)],
        steps: [Run("start app.js"), File("up"), Run("send 0 'hello there'"), File("said"), Fails("send 7 x", 5)],
    }

    a_signal {
        files: [("app.js", WRITES_WHAT_IT_READS)],
        steps: [
            Run("start app.js"),
            File("up"),
            Run("sendSignal SIGUSR2 app"),
            File("signal"),
            Look("app online/0"),
            Fails("sendSignal SIGUSR2 nobody", 5),
            Fails("sendSignal SIGNOTHING app", 2),
        ],
    }

    a_command_that_is_not_there {
        steps: [Fails("frobnicate", 2)],
    }

    no_command_at_all {
        steps: [Fails("", 2)],
    }

    settings {
        steps: [
            Run("set web:color blue"),
            Run("get web:color"),
            Fails("get web:nothing", 5),
            Run("unset web:color"),
            Fails("get web:color", 5),
            Run("conf"),
        ],
    }

    a_process_file_to_begin_with {
        steps: [Run("init"), Run("ecosystem simple"), Names(".", 1)],
        differs: [
            differs(InitAgain, "2 ecosystem simple | exit", "0", "1"),
        ],
    }

    an_option_that_is_not_there {
        files: [("app.js", IDLE)],
        steps: [Fails("start app.js --frobnicate", 2), Look("")],
    }
}
