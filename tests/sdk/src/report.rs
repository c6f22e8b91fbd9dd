//! One line for each case, and how many there were.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use aws_sdk_bedrockruntime::error::DisplayErrorContext;

pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Report {
    passed: usize,
    failed: usize,
}

impl Report {
    pub(crate) async fn case(&mut self, name: String, case: impl Future<Output = Outcome>) {
        let problem = match tokio::time::timeout(PATIENCE, case).await {
            Ok(Ok(())) => {
                self.passed += 1;
                println!("ok {name}");
                return;
            }
            Ok(Err(error)) => DisplayErrorContext(&*error).to_string(),
            Err(_) => "no end in sight".to_owned(),
        };
        self.failed += 1;
        println!("FAIL {name}: {problem}");
    }

    pub(crate) fn end(self) -> ExitCode {
        println!("{} passed, {} failed", self.passed, self.failed);
        if self.failed == 0 && self.passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Fails the case with what was there instead.
macro_rules! ensure {
    ($condition:expr, $($seen:tt)+) => {
        if !$condition {
            return Err(format!("not so: {}; {}", stringify!($condition), format!($($seen)+)).into());
        }
    };
}
pub(crate) use ensure;
