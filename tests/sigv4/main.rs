//! The signer against others: `aws-sigv4`, AWS's own test suite, signatures that botocore made,
//! and a verifier.

mod generate;
mod identity;
mod reference;
mod suite;
mod vectors;
