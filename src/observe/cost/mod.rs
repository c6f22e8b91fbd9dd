//! What a request costs: prices, and sums of them in whole numbers.

mod amount;
mod custom;
mod decimal;
mod price;
mod prices;
mod table;

pub use self::amount::Cost;
pub use self::price::Price;
pub use self::prices::Prices;

pub(super) use self::custom::Custom;
pub(super) use self::price::Tier;
pub(super) use self::prices::Asked;
