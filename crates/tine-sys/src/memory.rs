//! Giving back memory that is not needed for a while.

/// Gives back what the allocator holds and nobody uses, and the pages of program code that this
/// process has touched: what of it is needed again is mapped again from the page cache, at less
/// than a microsecond for every 64 KiB. For a process that has done something big, or has begun,
/// and will now wait.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: takes no pointers; glibc promises that it may be called at any time.
        unsafe { libc::malloc_trim(0) };
    }
    #[cfg(target_os = "linux")]
    code::forget();
}

#[cfg(target_os = "linux")]
mod code {
    use std::fs;

    /// Lets go of the pages of all mappings of code and of the constants at the head of a file: both
    /// private, of a file, and never written.
    pub(super) fn forget() {
        let Ok(maps) = fs::read_to_string("/proc/self/maps") else {
            return;
        };
        for (start, end) in maps.lines().filter_map(code) {
            let Some(length) = end.checked_sub(start) else {
                continue;
            };
            // SAFETY: the pages are code or constants, which were never written: nothing but what is in the file
            // is lost, and whatever is wanted of it is read from there again. A page that somebody
            // has written into by force (a debugger's breakpoint) loses that.
            unsafe {
                libc::madvise(
                    std::ptr::with_exposed_provenance_mut(start),
                    length,
                    libc::MADV_DONTNEED,
                )
            };
        }
    }

    /// Where a mapping is, if it is one of code (`proc_pid_maps(5)`).
    fn code(line: &str) -> Option<(usize, usize)> {
        let mut words = line.split_ascii_whitespace();
        let (range, permissions, offset) = (words.next()?, words.next()?, words.next()?);
        let inode = words.nth(1)?;
        // The loader writes into what is read-only only after its relocation, but that is never
        // what a file begins with.
        let is_head = permissions == "r--p" && offset.bytes().all(|digit| digit == b'0');
        // What has no inode is the kernel's own, or made at run time.
        if !(permissions == "r-xp" || is_head) || inode == "0" {
            return None;
        }
        let (start, end) = range.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        Some((number(start)?, number(end)?))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn only_code_of_files_is_let_go_of() {
            let code_of = |line: &str| code(line).is_some();
            assert_eq!(
                code("1000-3000 r-xp 00001000 fe:00 42   /usr/bin/x"),
                Some((0x1000, 0x3000))
            );
            assert!(code_of("1000-3000 r--p 00000000 fe:00 42   /usr/bin/x"));
            assert!(!code_of("1000-3000 r--p 00001000 fe:00 42   /usr/bin/x"));
            assert!(!code_of("1000-3000 rwxp 00001000 fe:00 42   /usr/bin/x"));
            assert!(!code_of("1000-3000 r-xp 00000000 00:00 0    [vdso]"));
            assert!(!code_of("1000-3000 r-xs 00000000 fe:00 42   /usr/bin/x"));
            assert!(!code_of(""));
        }

        #[test]
        fn less_is_resident_afterwards_and_all_works_on() {
            let resident = || {
                let text = fs::read_to_string("/proc/self/statm").unwrap();
                let shared = text.split(' ').nth(2).unwrap();
                shared.parse::<u64>().unwrap()
            };
            let before = resident();
            super::super::give_back();
            let after = resident();
            assert!(after < before, "{after} pages of files, {before} before");
            assert_eq!(format!("{:.2}", 1.0_f64 / 3.0), "0.33");
        }
    }
}
