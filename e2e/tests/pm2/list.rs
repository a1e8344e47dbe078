//! What do the elements of `jlist` tell?

use serde_json::Value;

/// The processes in the order of their ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct List(Vec<Process>);

/// One element of `jlist`.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// As it was printed.
    pub(crate) json: Value,
}

impl List {
    /// # Panics
    /// When it is no array.
    pub(crate) fn new(json: Value) -> List {
        let Value::Array(elements) = json else {
            panic!("jlist is {json}");
        };
        let mut list: Vec<Process> = elements.into_iter().map(|json| Process { json }).collect();
        list.sort_by_key(Process::id);
        List(list)
    }

    /// Each with its name and place among those of this name, as `web.0`.
    pub(crate) fn named(&self) -> impl Iterator<Item = (String, &Process)> {
        self.0.iter().enumerate().map(|(at, one)| {
            let name = one.name();
            let before = self.0[..at].iter().filter(|other| other.name() == name);
            (format!("{name}.{}", before.count()), one)
        })
    }

    /// The one at this place among those of this name.
    pub(crate) fn find(&self, name: &str, place: usize) -> Option<&Process> {
        self.0.iter().filter(|one| one.name() == name).nth(place)
    }

    /// In the words of [`crate::case::Step::Look`].
    pub(crate) fn words(&self, with_restarts: bool) -> String {
        let words = self.0.iter().map(|one| match with_restarts {
            true => format!("{} {}/{}", one.name(), one.status(), one.restarts()),
            false => format!("{} {}", one.name(), one.status()),
        });
        words.collect::<Vec<_>>().join("; ")
    }

    /// Whether it is what these words say, in any order.
    pub(crate) fn is(&self, wanted: &str) -> bool {
        let mut wanted: Vec<&str> = match wanted {
            "" => Vec::new(),
            some => some.split("; ").collect(),
        };
        wanted.len() == self.0.len()
            && self.0.iter().all(|one| {
                let exact = format!("{} {}/{}", one.name(), one.status(), one.restarts());
                let plain = format!("{} {}", one.name(), one.status());
                let at = wanted
                    .iter()
                    .position(|word| *word == exact || *word == plain);
                at.map(|at| wanted.swap_remove(at)).is_some()
            })
    }
}

impl Process {
    pub(crate) fn id(&self) -> u64 {
        self.json["pm_id"].as_u64().unwrap_or(u64::MAX)
    }

    pub(crate) fn name(&self) -> &str {
        self.json["name"].as_str().unwrap_or("(no name)")
    }

    /// 0 if there is no process.
    pub(crate) fn pid(&self) -> u32 {
        let pid = self.json["pid"].as_u64().unwrap_or(0);
        u32::try_from(pid).unwrap_or(0)
    }

    pub(crate) fn status(&self) -> &str {
        match self.json["pm2_env"]["status"].as_str() {
            Some("waiting restart") => "waiting",
            Some(status) => status,
            None => "(no status)",
        }
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.json["pm2_env"]["restart_time"]
            .as_u64()
            .unwrap_or(u64::MAX)
    }

    /// `pid`, or a field of `pm2_env`, in one line.
    pub(crate) fn field(&self, name: &str) -> Option<String> {
        let value = match name {
            "pid" => self.json.get(name),
            _ => self.json["pm2_env"].get(name),
        };
        match value? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}
