//! Where a line goes: from a worker pipe to whoever shows or keeps it.
