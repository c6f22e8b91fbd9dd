//! Pairs of requests that are written by hand: OpenAI's, and what becomes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_json::value::RawValue;
use tower_bedrock::compat::Translation;
use tower_bedrock::{ModelAlias, Policy};

use super::json::Json;
use super::rules;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    name: String,
    #[serde(default)]
    policy: Rules,
    request: Box<RawValue>,
    model: Option<String>,
    converse: Option<Box<RawValue>>,
    #[serde(default)]
    dropped: Vec<String>,
    error: Option<Refusal>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Rules {
    #[serde(default)]
    strict: bool,
    #[serde(default)]
    aliases: BTreeMap<String, Alias>,
}

#[derive(Deserialize)]
struct Alias {
    model: String,
    family: Option<String>,
}

#[derive(Deserialize, Debug, PartialEq)]
struct Refusal {
    status: u16,
    param: Option<String>,
    code: String,
}

impl Rules {
    fn policy(&self) -> Policy {
        let policy = Policy::new().with_strict_parameters(self.strict);
        self.aliases.iter().fold(policy, |policy, (name, alias)| {
            let model = ModelAlias::new(&alias.model).unwrap();
            let model = match &alias.family {
                Some(family) => model.with_family(family),
                None => model,
            };
            policy.with_model_alias(name, model).unwrap()
        })
    }
}

impl Pair {
    /// What is wrong, if anything is.
    fn check(&self) -> Option<String> {
        let request = self.request.get();
        let translation = match Translation::of(request.as_bytes(), &self.policy.policy()) {
            Ok(translation) => translation,
            Err(rejection) => {
                let found = Refusal {
                    status: rejection.status().as_u16(),
                    param: rejection.param().map(str::to_owned),
                    code: rejection.code().to_owned(),
                };
                return (self.error.as_ref() != Some(&found))
                    .then(|| format!("{found:?}: {rejection}"));
            }
        };
        let body = translation.body();
        let body = std::str::from_utf8(&body).unwrap();
        let Some(expected) = &self.converse else {
            return Some(format!("not refused: {body}"));
        };
        if Some(translation.model()) != self.model.as_deref() {
            return Some(format!("model {}", translation.model()));
        }
        let expected = Json::parse(expected.get());
        if let Some(difference) = expected.difference(&Json::parse(body), "", false) {
            return Some(difference);
        }
        let dropped = translation.dropped();
        if dropped != self.dropped {
            return Some(format!("dropped {dropped:?}"));
        }
        let problems = rules::problems(&serde_json::from_str(body).unwrap());
        (!problems.is_empty()).then(|| problems.join("\n"))
    }
}

fn pairs() -> Vec<(String, Pair)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compat/golden");
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let pairs = files.iter().flat_map(|path| {
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let pairs: Vec<Pair> = serde_json::from_str(&std::fs::read_to_string(path).unwrap())
            .unwrap_or_else(|error| panic!("{file}: {error}"));
        pairs.into_iter().map(move |pair| (file.clone(), pair))
    });
    pairs.collect()
}

#[test]
fn every_pair() {
    let mut failures = Vec::new();
    let (mut translated, mut refused) = (0, 0);
    for (file, pair) in pairs() {
        assert_ne!(
            pair.converse.is_some(),
            pair.error.is_some(),
            "{}",
            pair.name
        );
        match pair.error {
            Some(_) => refused += 1,
            None => translated += 1,
        }
        if let Some(failure) = pair.check() {
            failures.push(format!("{file}: {}\n{failure}", pair.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
    assert!(translated >= 120 && refused >= 60, "{translated} {refused}");
}

/// Each row of the contract is shown by a pair.
#[test]
fn every_parameter() {
    let contract = include_str!("../../../src/compat/contract.md");
    let rows = contract.lines().filter_map(|line| line.strip_prefix("| `"));
    let cells = rows.filter_map(|row| row.split(" | ").next());
    let cells = cells.filter(|cell| !cell.contains(['.', '[', '\u{2026}']));
    let said: BTreeSet<String> = cells
        .flat_map(|cell| cell.split(", "))
        .map(|name| name.trim_matches('`').to_owned())
        .collect();
    let mut shown = BTreeSet::new();
    for (_, pair) in pairs() {
        let request: serde_json::Value = serde_json::from_str(pair.request.get()).unwrap();
        shown.extend(request.as_object().unwrap().keys().cloned());
    }
    assert!(said.len() > 40);
    assert_eq!(
        said.difference(&shown).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}
