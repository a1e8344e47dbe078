//! What is written to which files?

use crate::case::Step::{Fails, Lines, Look, Names, Run, RunWith, Shapes};
use crate::case::differs;
use crate::differences::Difference::{ClusterOutput, EmptyLogs, LogLines, NotFound};
use crate::programs::TALK;

cases! {
    of_one_program {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js"),
            Lines("home/logs/app-out.log", 1),
            Lines("home/logs/app-error.log", 1),
            Names("home/logs", 2),
            Names("home/pids", 1),
        ],
    }

    of_a_cluster {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js -i 2"),
            Lines("home/logs/app-out-0.log", 1),
            Lines("home/logs/app-error-1.log", 1),
            Names("home/logs", 4),
            Names("home/pids", 2),
        ],
    }

    of_a_cluster_that_is_merged {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js -i 2 --merge-logs"),
            Lines("home/logs/app-out.log", 2),
            Lines("home/logs/app-error.log", 2),
            Names("home/logs", 2),
            Names("home/pids", 2),
        ],
    }

    of_two_of_python {
        files: [("app.py", "import signal, sys\nprint('out')\nprint('err', file=sys.stderr)\nsignal.pause()\n")],
        steps: [
            Run("start app.py -i 2"),
            Lines("home/logs/app-out-1.log", 1),
            Lines("home/logs/app-error-0.log", 1),
            Names("home/logs", 4),
        ],
    }

    of_one_that_says_nothing {
        files: [("app.js", "setInterval(() => {}, 1e6)")],
        steps: [Run("start app.js"), Look("app online/0"), Names("home/logs", 2)],
        differs: [
            differs(EmptyLogs, "3 home/logs", "app-error.log app-out.log", ""),
        ],
    }

    to_files_of_ones_own {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js -o out.log -e below/err.log"),
            Lines("out.log", 1),
            Lines("below/err.log", 1),
            Names("home/logs", 0),
        ],
    }

    to_files_of_ones_own_in_a_cluster {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js -i 2 -o out.log -e err.log"),
            Lines("out-0.log", 1),
            Lines("err-1.log", 1),
        ],
    }

    to_nowhere {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js -o /dev/null -e err.log"),
            Lines("err.log", 1),
            Names("home/logs", 0),
        ],
    }

    all_disabled {
        files: [("app.js", TALK)],
        steps: [Run("start app.js --disable-logs -e err.log"), Look("app online/0"), Names("home/logs", 0)],
        differs: [
            differs(EmptyLogs, "3 home/logs", "*app-out.log", ""),
        ],
    }

    both_in_one_more {
        files: [("app.js", "console.log('out'); setTimeout(() => console.error('err'), 200); setInterval(() => {}, 1e6);")],
        steps: [Run("start app.js -l both.log"), Lines("both.log", 2), Lines("home/logs/app-out.log", 1)],
    }

    both_in_one_more_by_default {
        files: [("app.js", TALK)],
        steps: [Run("start app.js --log"), Lines("home/logs/app.log", 2), Names("home/logs", 3)],
    }

    with_the_time {
        files: [("app.js", TALK)],
        steps: [Run("start app.js --time"), Shapes("home/logs/app-out.log", 1), Shapes("home/logs/app-error.log", 1)],
    }

    with_a_date_of_a_form {
        files: [("app.js", TALK)],
        steps: [
            RunWith(&[("TZ", "UTC")], "start app.js --log-date-format 'YYYY-MM-DD HH:mm Z'"),
            Shapes("home/logs/app-out.log", 1),
        ],
    }

    as_json {
        files: [("app.js", "console.log('to \"out\"'); setInterval(() => {}, 1e6)")],
        steps: [Run("start app.js --log-type json"), Shapes("home/logs/app-out.log", 1)],
    }

    they_grow_over_restarts {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js"),
            Lines("home/logs/app-out.log", 1),
            Run("restart app"),
            Lines("home/logs/app-out.log", 2),
        ],
    }

    flush_empties_them {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js"),
            Lines("home/logs/app-out.log", 1),
            Run("flush"),
            Lines("home/logs/app-out.log", 0),
            Lines("home/logs/app-error.log", 0),
        ],
    }

    they_are_opened_anew {
        files: [("app.js", TALK)],
        steps: [Run("start app.js"), Lines("home/logs/app-out.log", 1), Run("reloadLogs")],
    }

    the_files_stay_after_delete {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js"),
            Lines("home/logs/app-out.log", 1),
            Lines("home/logs/app-error.log", 1),
            Run("delete app"),
            Names("home/logs", 2),
            Names("home/pids", 0),
        ],
    }

    of_one_that_is_unknown {
        steps: [Fails("flush nobody", 5)],
        differs: [
            differs(NotFound, "1 flush nobody | exit", "0", "fails"),
        ],
    }

    a_pid_file_of_ones_own {
        files: [("app.js", TALK)],
        steps: [Run("start app.js -p app.pid"), Look("app online/0"), Names("home/pids", 0), Shapes("app-0.pid", 1)],
    }

    two_lines_at_once_as_json {
        files: [("app.js", "console.log('one\\ntwo'); setInterval(() => {}, 1e6)")],
        steps: [Run("start app.js --log-type json"), Shapes("home/logs/app-out.log", 1)],
        differs: [
            differs(LogLines, "2 * line 1", "{\"message\":\"one\\ntwo\\n\",*", "{\"message\":\"one\\n\",*"),
            differs(LogLines, "2 * line 2", "(absent)", "{\"message\":\"two\\n\",*"),
        ],
    }

    two_lines_at_once_with_the_time {
        files: [("app.js", "console.log('one\\ntwo'); setInterval(() => {}, 1e6)")],
        steps: [Run("start app.js --time"), Shapes("home/logs/app-out.log", 2)],
    }

    a_line_in_two_parts_with_the_time {
        files: [("app.sh", "printf one\nsleep 0.3\nprintf 'two\\n'\nsleep 1000\n")],
        steps: [Run("start app.sh --time"), Shapes("home/logs/app-out.log", 1)],
        differs: [
            differs(LogLines, "2 home/logs/app-out.log | line 1", "9999-99-99T99:99:99: one*", "9999-99-99T99:99:99: onetwo"),
        ],
    }

    a_cluster_with_the_time {
        files: [("app.js", TALK)],
        steps: [Run("start app.js -i 1 --time"), Shapes("home/logs/app-out-0.log", 1)],
    }

    a_cluster_as_json {
        files: [("app.js", TALK)],
        steps: [Run("start app.js -i 1 --log-type json"), Shapes("home/logs/app-out-0.log", 1)],
    }

    of_the_children_of_a_cluster {
        files: [("app.js", "require('child_process').spawn('echo', ['from a child'], { stdio: 'inherit' });
            setInterval(() => {}, 1e6)")],
        steps: [Run("start app.js -i 1"), Lines("home/logs/app-out-0.log", 1)],
        differs: [
            differs(ClusterOutput, "2 home/logs/app-out-0.log | line 1", "(absent)", "from a child"),
        ],
    }

    a_last_line_without_an_end {
        files: [("app.sh", "printf 'one\\ntwo'\n")],
        steps: [
            Run("start app.sh --no-autorestart"),
            Look("app stopped/0"),
            Shapes("home/logs/app-out.log", 2),
        ],
    }

    a_last_line_without_an_end_and_with_the_time {
        files: [("app.sh", "printf 'one\\ntwo'\n")],
        steps: [
            Run("start app.sh --no-autorestart --time"),
            Look("app stopped/0"),
            Shapes("home/logs/app-out.log", 2),
        ],
        differs: [
            differs(LogLines, "3 * line 2", "(absent)", "9999-99-99T99:99:99: two"),
        ],
    }

    to_files_with_another_extension_in_a_cluster {
        files: [("app.js", TALK), ("logs/empty", "")],
        steps: [
            Run("start app.js -i 2 -o logs/out.txt -e logs/err"),
            Look("app online/0; app online/0"),
            Lines("logs/out.txt", 2),
            Lines("logs/err", 2),
            Names("logs", 3),
        ],
    }

    a_pid_file_for_each_process {
        files: [("app.js", TALK)],
        steps: [
            Run("start app.js -i 2 -p app.pid"),
            Look("app online/0; app online/0"),
            Shapes("app-0.pid", 1),
            Shapes("app-1.pid", 1),
        ],
    }
}
