//! What runs a script, with which arguments, and where?

use crate::case::Step::{About, Fails, File, Look, Run};
use crate::case::differs;
use crate::differences::Difference::{Channel, Pwd};
use crate::programs::{ABOUT, ABOUT_PY, IDLE};

cases! {
    arguments_after_two_dashes {
        files: [("app.js", ABOUT)],
        steps: [Run("start app.js -- --port 80 -x 'a b' ''"), About("about-0.json")],
    }

    arguments_for_node {
        files: [("app.js", ABOUT)],
        steps: [
            Run("start app.js --node-args='--max-old-space-size=99 --no-warnings'"),
            About("about-0.json"),
        ],
    }

    arguments_for_node_in_a_cluster {
        files: [("app.js", ABOUT)],
        steps: [
            Run("start app.js -i 1 --node-args=--max-old-space-size=99 -- one two"),
            About("about-0.json"),
        ],
    }

    an_interpreter_by_name {
        files: [("app.txt", ABOUT_PY)],
        steps: [
            Run("start app.txt --interpreter python3 -- one"),
            Look("app online/0"),
            About("about-0.json"),
        ],
        differs: [
            differs(Channel, "*about-* | env NODE_CHANNEL_FD", "3", "(absent)"),
            differs(Channel, "*about-* | env NODE_CHANNEL_SERIALIZATION_MODE", "json", "(absent)"),
        ],
    }

    no_interpreter {
        files: [("app.py", "#!/bin/sh\necho $1 > said\nexec sleep 1000\n")],
        steps: [Run("start ./app.py --interpreter none -- one"), Look("app online/0"), File("said")],
    }

    a_module_script {
        files: [("app.mjs", "import fs from 'fs'; fs.writeFileSync('said', 'x\\n'); setInterval(() => {}, 1e6);\n")],
        steps: [Run("start app.mjs"), Look("app online/0"), File("said")],
    }

    no_extension_is_node {
        files: [("app", "require('fs').writeFileSync('said', 'node\\n'); setInterval(() => {}, 1e6);\n")],
        steps: [Run("start ./app"), Look("app online/0"), File("said")],
    }

    a_missing_interpreter {
        files: [("app.js", IDLE)],
        steps: [Fails("start app.js --interpreter no-such-program", 3), Look("")],
    }

    another_folder {
        files: [("below/app.js", ABOUT)],
        steps: [Run("start app.js --cwd below"), Look("app online/0"), About("below/about-0.json")],
        differs: [
            differs(Pwd, "3 below/about-0.json | env PWD", "below", "{dir}/work/below"),
        ],
    }

    another_folder_and_a_script_of_this_one {
        files: [("app.js", ABOUT), ("below/empty", "")],
        steps: [Fails("start app.js --cwd below", 3), Look("")],
    }
}
