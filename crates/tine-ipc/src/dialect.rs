//! What differs between the runtimes that speak the protocol.

/// The runtime at the other end of a channel, as far as the wire is concerned.
///
/// Node and Deno cannot be told apart by their bytes; [`Dialect::Bun`] is recognised by the byte
/// `0x02` in front of its cluster messages. Whoever starts the process usually knows better and
/// says so with [`Channel::with_dialect`](crate::Channel::with_dialect).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Dialect {
    /// Node.js 18 to 26, and everything that follows it to the letter.
    #[default]
    Node,
    /// Deno 2: Node's bytes, but a descriptor is lost when the read that brings it does not begin
    /// with its own message. So a handle is sent only when the peer has read all before it.
    Deno,
    /// Bun 1: the byte `0x02` before cluster messages, and descriptors on a flat message with
    /// `$hasHandle` in place of the `NODE_HANDLE` envelope.
    Bun,
}

impl Dialect {
    /// Recognises a runtime by the name of its executable, for example `/usr/bin/bun`.
    #[must_use]
    pub fn of_program(path: &std::path::Path) -> Self {
        match path.file_stem().and_then(|name| name.to_str()) {
            Some("bun") => Self::Bun,
            Some("deno") => Self::Deno,
            _ => Self::Node,
        }
    }

    pub(crate) const BUN_INTERNAL: u8 = 0x02;
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_runtime_is_known_by_its_file_name() {
        assert_eq!(
            Dialect::of_program(Path::new("/opt/bun/bin/bun")),
            Dialect::Bun
        );
        assert_eq!(Dialect::of_program(Path::new("deno")), Dialect::Deno);
        assert_eq!(
            Dialect::of_program(Path::new("/usr/bin/node")),
            Dialect::Node
        );
        assert_eq!(Dialect::of_program(Path::new("/")), Dialect::Node);
    }
}
