//! What the programs here have in common: the random requests of the main package's tests, and
//! what `aws-sigv4` makes of them.

#[path = "../../sigv4/generate/mod.rs"]
pub mod generate;
#[path = "../../sigv4/reference.rs"]
pub mod reference;

/// The whole number that is argument `index` of the program, if it is there.
pub fn argument(index: usize) -> Option<u64> {
    let text = std::env::args().nth(index)?;
    match text.parse() {
        Ok(number) => Some(number),
        Err(_) => panic!("argument {index} is not a whole number: {text}"),
    }
}
