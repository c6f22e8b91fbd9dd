//! The built examples. `cargo test` has built them; `cargo test --test NAME` has not, so then they
//! are built here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::SystemTime;
use std::{env, fs};

/// The program of this example.
pub(crate) fn binary(name: &str) -> PathBuf {
    static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut seen = SEEN.lock().unwrap();
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    let file = profile.join("examples").join(file);
    let sources = ["src", "examples"].map(|dir| newest(&root().join(dir)));
    if seen.insert(name.to_owned()) && modified(&file) <= sources.into_iter().max() {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--all-features", "--example", name]);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        build.current_dir(root());
        build.env("CARGO_TARGET_DIR", profile.parent().unwrap());
        assert!(build.status().unwrap().success());
    }
    file
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn modified(file: &Path) -> Option<SystemTime> {
    fs::metadata(file).and_then(|meta| meta.modified()).ok()
}

/// When a file in this folder was last changed.
fn newest(folder: &Path) -> SystemTime {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let times = entries.map(|path| match path.is_dir() {
        true => newest(&path),
        false => modified(&path).unwrap(),
    });
    times.max().unwrap_or(SystemTime::UNIX_EPOCH)
}
