//! What a request costs: prices, and sums of them in whole picodollars.

mod amount;

pub use self::amount::Cost;
