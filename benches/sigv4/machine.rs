//! The machine that is measured on.

/// What the machine can do about SHA-256, for whoever reads the table.
pub(crate) fn print() {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let mut lines = info.lines().filter_map(|line| line.split_once(':'));
        lines
            .find(|(key, _)| key.trim() == name)
            .map(|(_, value)| value.trim())
    };
    // What Intel and AMD call it, and what Arm does.
    let flags = field("flags").or_else(|| field("Features"));
    let sha = flags.map(|flags| flags.split(' ').any(|f| matches!(f, "sha_ni" | "sha2")));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "CPU: {}, {cores} threads, SHA-256 instructions (SHA-NI): {}\n",
        field("model name").unwrap_or("unknown"),
        match sha {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        }
    );
    if sha == Some(false) {
        println!(
            "note: the goals are for CPUs with SHA-256 instructions; without them hashing is nearly everything, and ratios to aws-sigv4 come down to those of the blocks hashed\n"
        );
    }
}
