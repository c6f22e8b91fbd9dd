//! Credentials that rotate.

use tower_bedrock::credentials::Credentials;

use super::dice::Dice;

const SECRET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Credentials whose parts are known, which [`Credentials`] itself does not show.
#[derive(Clone)]
pub struct Keys {
    pub id: String,
    pub secret: String,
    pub token: Option<String>,
    pub credentials: Credentials,
}

impl Keys {
    pub fn new(id: &str, secret: &str, token: Option<&str>) -> Self {
        let credentials = match token {
            Some(token) => Credentials::with_session_token(id, secret, token),
            None => Credentials::new(id, secret),
        };
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            token: token.map(str::to_owned),
            credentials: credentials.expect("what is generated can be a key"),
        }
    }

    /// The same content at another address.
    pub fn anew(&self) -> Self {
        Self::new(&self.id, &self.secret, self.token.as_deref())
    }

    pub fn with_secret(&self, secret: &str) -> Self {
        Self::new(&self.id, secret, self.token.as_deref())
    }

    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self::new(&self.id, &self.secret, token)
    }
}

/// Those of some tenants; the first two have one access key id in common.
pub struct Ring(Vec<Keys>);

impl Ring {
    pub fn new(dice: &mut Dice) -> Self {
        let ids = [
            "AKIDEXAMPLE",
            "AKIDEXAMPLE",
            "ASIAEXAMPLE",
            "A",
            "ASIAIOSFODNN7EXAMPLE",
        ];
        Self(
            ids.into_iter()
                .map(|id| Keys::new(id, &secret(dice), token(dice).as_deref()))
                .collect(),
        )
    }

    pub fn tenants(&self) -> usize {
        self.0.len()
    }

    /// What a tenant signs with now.
    pub fn of(&self, tenant: usize) -> Keys {
        self.0[tenant % self.0.len()].clone()
    }

    /// Now and then a tenant's keys change.
    pub fn rotate(&mut self, dice: &mut Dice) {
        if !dice.chance(12) {
            return;
        }
        let tenant = dice.below(self.0.len());
        let other = dice.below(self.0.len());
        let keys = &self.0[tenant];
        self.0[tenant] = match dice.below(10) {
            0..3 => keys.anew(),
            3..5 => keys.with_secret(&secret(dice)),
            5..7 => keys.with_token(token(dice).as_deref()),
            // What another tenant has, in part: an id alone tells nobody apart.
            7 => keys.with_secret(&self.0[other].secret),
            8 => keys.with_token(self.0[other].token.as_deref()),
            _ => Keys::new(&self.0[other].id, &keys.secret, keys.token.as_deref()),
        };
    }
}

fn secret(dice: &mut Dice) -> String {
    // HMAC hashes a key that is longer than 64 bytes, `AWS4` included.
    let length = *dice.pick(&[&40, &40, &40, &1, &59, &60, &61, &128]);
    dice.text(SECRET, length)
}

fn token(dice: &mut Dice) -> Option<String> {
    let length = match dice.below(20) {
        0..9 => return None,
        9..13 => 1 + dice.below(130),
        13..19 => 960,
        _ => 8192,
    };
    Some(dice.text(SECRET, length))
}
