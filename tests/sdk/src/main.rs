//! The AWS SDK for Rust against a gateway, and against an endpoint of Bedrock itself.
//!
//! ```text
//! sdk [--gateway URL] [--direct URL] [--token TOKEN] [--ca FILE]
//! ```
//!
//! `--gateway` takes the URL that stands for the endpoint of bedrock-runtime,
//! `https://…/v1/demo/demo/aws-bedrock/bedrock-runtime/us-east-1`; `--direct` that of the emulator.

mod clients;
mod duplex;
mod errors;
mod operations;
mod report;

use std::process::ExitCode;

use self::clients::{Clients, Options};
use self::report::Report;

const USAGE: &str = "usage: sdk [--gateway URL] [--direct URL] [--token TOKEN] [--ca FILE]";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let options = match parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("sdk: {problem}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let clients = Clients::new(&options);
    let mut report = Report::default();
    for (name, client) in clients.all() {
        operations::run(&mut report, name, &client).await;
        errors::run(&mut report, name, &client).await;
        duplex::run(&mut report, name, &client).await;
    }
    errors::run_refused(&mut report, &clients).await;
    report.end()
}

fn parse(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(option) = args.next() {
        let value = args.next().ok_or(format!("{option} needs a value"))?;
        match option.as_str() {
            "--gateway" => options.gateway = Some(value),
            "--direct" => options.direct = Some(value),
            "--token" => options.token = value,
            "--ca" => {
                let pem = std::fs::read(&value).map_err(|error| format!("{value}: {error}"))?;
                options.ca = Some(pem);
            }
            _ => return Err(format!("unknown option {option}")),
        }
    }
    if options.gateway.is_none() && options.direct.is_none() {
        return Err("neither --gateway nor --direct".to_owned());
    }
    Ok(options)
}
