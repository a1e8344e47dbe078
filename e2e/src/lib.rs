//! End-to-end tests: the real binary, real runtimes, real kill -9.
