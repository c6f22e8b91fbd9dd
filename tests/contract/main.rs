//! What every layer owes to Tower, to the service inside of it, and to whoever drops it.
//!
//! Each check is written once, generic in the layer, and run for all of them by `each!`. The
//! innermost service is a [`Probe`](probe::Probe), the request body a [`Script`](script::Script):
//! both fail the test when they are mistreated.

mod probe;
mod script;

mod cases;

/// Runs a check for each of these cases, time standing still unless something waits.
macro_rules! each {
    ($check:ident: $($case:ident),+ $(,)?) => {
        mod $check {
            $(
                #[tokio::test(start_paused = true)]
                async fn $case() {
                    super::$check(crate::cases::$case()).await;
                }
            )+
        }
    };
}

/// The same, and once more with an `ObservabilityLayer` outside of the layer.
macro_rules! each_observed {
    ($check:ident: $($case:ident),+ $(,)?) => {
        mod $check {
            $(
                #[tokio::test(start_paused = true)]
                async fn $case() {
                    super::$check(crate::cases::$case()).await;
                    super::$check(crate::cases::$case().observed()).await;
                }
            )+
        }
    };
}

mod alone;
mod attempts;
mod bodies;
mod cancel;
mod compose;
mod drain;
mod every_state;
mod mock;
mod order;
mod panics;
mod readiness;
mod reading;
mod stacks;
mod traits;
mod types;
mod upstream;
