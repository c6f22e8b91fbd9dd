//! The compiler's messages, and that the page about them shows what it says.

use std::fs;

const PAGE: &str = include_str!("../../../src/docs/my_stack_does_not_compile.md");
const EMBEDDING: &str = include_str!("../../../src/docs/embedding.md");

#[test]
fn messages() {
    trybuild::TestCases::new().compile_fail("cases/*.rs");
}

/// The lines of the blocks that begin with this fence.
fn blocks<'a>(page: &'a str, fence: &'static str) -> impl Iterator<Item = &'a str> {
    let mut is_inside = false;
    page.lines().filter(move |line| {
        let was_inside = is_inside;
        is_inside = match line.starts_with("```") {
            true => line.starts_with(fence),
            false => is_inside,
        };
        was_inside && is_inside
    })
}

#[test]
fn the_page_shows_them() {
    let cases = fs::read_dir("cases")
        .unwrap()
        .map(|case| case.unwrap().path());
    let messages: Vec<String> = cases
        .filter(|case| case.extension().is_some_and(|end| end == "stderr"))
        .map(|case| fs::read_to_string(case).unwrap())
        .collect();
    let mut errors = 0;
    for quoted in blocks(PAGE, "```text").filter(|line| line.len() > 4) {
        let is_quote = |line: &str| {
            let mut rest = line;
            quoted.split('…').all(|piece| match rest.split_once(piece) {
                Some((_, after)) => {
                    rest = after;
                    true
                }
                None => false,
            })
        };
        let found = messages.iter().any(|message| message.lines().any(is_quote));
        assert!(found, "no message has the line: {quoted}");
        errors += usize::from(quoted.starts_with("error"));
    }
    // One file holds two.
    assert_eq!(errors, messages.len() + 1);
}

#[test]
fn what_the_docs_do_not_compile_is_compiled_here() {
    let compiled = include_str!("../src/lib.rs");
    let mut lines = 0;
    for line in blocks(EMBEDDING, "```ignore") {
        assert!(compiled.contains(line.trim()), "{line}");
        lines += 1;
    }
    assert!(lines > 5);
}
