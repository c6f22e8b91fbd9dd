//! The signer against others: `aws-sigv4`, AWS's own test suite, signatures that botocore made,
//! and a verifier.

mod bad_input;
mod bad_requests;
mod caches;
mod event_stream;
mod generate;
mod identity;
mod layer;
mod memory;
mod reference;
mod suite;
mod targets;
mod vectors;
mod verifier;
