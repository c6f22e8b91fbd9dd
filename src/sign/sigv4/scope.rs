//! Where and when a signature is good.

use super::date::Second;

/// The credential scope: a day, a region and a service; with the second of the signature.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    pub(super) second: Second,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Scope<'_> {
    /// Gives `20260102/us-east-1/bedrock/aws4_request` piece by piece.
    pub(super) fn write(&self, mut out: impl FnMut(&[u8])) {
        let date = self.second.text();
        out(&date[..8]);
        out(b"/");
        out(self.region.as_bytes());
        out(b"/");
        out(self.service.as_bytes());
        out(b"/aws4_request");
    }

    /// Gives a string to sign up to its last lines: the algorithm, the time, this scope.
    pub(super) fn write_to_sign(&self, algorithm: &[u8], mut out: impl FnMut(&[u8])) {
        out(algorithm);
        out(b"\n");
        out(&self.second.text());
        out(b"\n");
        self.write(&mut out);
        out(b"\n");
    }
}
