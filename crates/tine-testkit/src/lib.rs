//! For tests and benches only: temp homes, waiters, loads that classify every failure, odd workers.
