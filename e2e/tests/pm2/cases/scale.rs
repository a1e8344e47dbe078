//! What is another number of processes?

use crate::case::Step::{Fails, Look, Names, Run};
use crate::case::differs;
use crate::differences::Difference::{Instances, ScaleDown, ScaleSame};
use crate::programs::{IDLE_PY, SERVER};

cases! {
    more_by_a_plus {
        files: [("app.js", SERVER)],
        steps: [
            Run("start app.js -i 1"),
            Run("scale app +2"),
            Look("app online/0; app online/0; app online/0"),
            Names("home/pids", 3),
        ],
        differs: [
            differs(Instances, "3 * instances", "1", "3"),
        ],
    }

    more_and_less_by_a_number {
        files: [("app.js", SERVER)],
        steps: [
            Run("start app.js -i 2"),
            Run("scale app 4"),
            Look("app online/0; app online/0; app online/0; app online/0"),
            Run("scale app 1"),
            Look("app online/0"),
        ],
        differs: [
            differs(Instances, "* instances", "2", "*"),
            differs(ScaleDown, "5 * pm_id", "3", "0"),
            differs(ScaleDown, "5 * NODE_APP_INSTANCE", "3", "0"),
            differs(ScaleDown, "5 * process", "another", "the same"),
        ],
    }

    the_number_that_it_has {
        files: [("app.js", SERVER)],
        steps: [Run("start app.js -i 2"), Run("scale app 2"), Look("app online/0; app online/0")],
        differs: [
            differs(ScaleSame, "2 scale app 2 | exit", "1", "0"),
        ],
    }

    more_after_less {
        files: [("app.js", SERVER)],
        steps: [
            Run("start app.js -i 2"),
            Run("scale app 1"),
            Run("scale app +1"),
            Look("app online/0; app online/0"),
        ],
        differs: [
            differs(ScaleDown, "4 * pm_id", "1", "0"),
            differs(ScaleDown, "4 * NODE_APP_INSTANCE", "*", "*"),
        ],
    }

    programs_by_themselves {
        files: [("app.py", IDLE_PY)],
        steps: [
            Run("start app.py"),
            Run("scale app 3"),
            Look("app online/0; app online/0; app online/0"),
        ],
        differs: [
            differs(Instances, "3 * instances", "1", "3"),
        ],
    }

    one_that_is_not_there {
        steps: [Fails("scale nobody 2", 5)],
    }
}
