//! A combination of schemas at the root, which Bedrock does not take, made one schema.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::schema::{may_be_object, push_pair};
use super::tree::Tree;

/// Schemas, properties and required names that are looked at.
const MOST: usize = 10_000;
const DEEPEST: u8 = 32;

/// Why there is no such schema.
#[derive(Debug)]
pub(super) enum Unfit {
    /// There is no end to it.
    Large,
    /// A reference at the root, or in a combination there, that names nothing.
    Unresolved(String),
}

const COMBINATIONS: [&str; 3] = ["anyOf", "oneOf", "allOf"];

pub(super) fn is_combination(key: &str) -> bool {
    key == "$ref" || COMBINATIONS.contains(&key)
}

/// A schema of one object in place of a combination of several: it has the properties of all, and
/// requires those that all of the alternatives require.
pub(super) fn flattened(root: &Tree<'_>) -> Result<String, Unfit> {
    let mut flattening = Flattening {
        root,
        left: MOST,
        // What stands in several alternatives is there several times; not without end.
        bytes: root.text.len() * 4 + 4096,
    };
    let flat = flattening.of(root, 0)?;
    let mut properties = String::from("{");
    for (name, shape) in flat.properties {
        push_pair(&mut properties, &name, &shape.into_text());
    }
    properties.push('}');
    let mut text = String::from(r#"{"type":"object""#);
    push_pair(&mut text, "properties", &properties);
    if !flat.required.is_empty() {
        let required = serde_json::to_string(&flat.required).unwrap_or_default();
        push_pair(&mut text, "required", &required);
    }
    for (key, value) in root.pairs() {
        if !is_combination(key) && !matches!(&**key, "type" | "properties" | "required" | "$defs") {
            push_pair(&mut text, key, value.text);
        }
    }
    if let Some(definitions) = root.get("$defs") {
        push_pair(&mut text, "$defs", definitions.text);
    }
    text.push('}');
    Ok(keep_referenced(root, text))
}

/// References into a combination that is not there any more are turned to a copy of it.
fn keep_referenced(root: &Tree<'_>, text: String) -> String {
    let is_referenced = |key: &&str| text.contains(&format!("\"#/{key}/"));
    if !COMBINATIONS.iter().any(is_referenced) {
        return text;
    }
    let definitions = root.get("$defs");
    let is_free = |name: &String| definitions.is_none_or(|known| known.get(name).is_none());
    let name = std::iter::successors(Some("root".to_owned()), |name| Some(format!("{name}_")))
        .find(is_free)
        .unwrap_or_default();
    let mut copy = String::from("{");
    for (key, value) in root.pairs() {
        if COMBINATIONS.contains(&&**key) {
            push_pair(&mut copy, key, value.text);
        }
    }
    copy.push('}');
    // `$defs` is at the end, if it is there.
    let mut all = text;
    all.pop();
    match definitions {
        Some(_) => drop(all.pop()),
        None => all.push_str(r#","$defs":{"#),
    }
    let mut all = all.trim_end().to_owned();
    push_pair(&mut all, &name, &copy);
    all.push_str("}}");
    for key in COMBINATIONS {
        all = all.replace(&format!("\"#/{key}/"), &format!("\"#/$defs/{name}/{key}/"));
    }
    all
}

/// The properties of an object, and those that it must have.
#[derive(Default)]
struct Flat<'s> {
    properties: Vec<(Cow<'s, str>, Shape<'s>)>,
    places: HashMap<Cow<'s, str>, usize>,
    required: Vec<Cow<'s, str>>,
    known: HashSet<Cow<'s, str>>,
}

/// The schema of a property.
enum Shape<'s> {
    One(Cow<'s, str>),
    /// A combination, which is fine anywhere but at the root. Each of its schemas is there once.
    Many {
        combination: &'static str,
        list: Vec<Cow<'s, str>>,
        known: HashSet<Cow<'s, str>>,
    },
}

impl<'s> Shape<'s> {
    fn into_text(self) -> Cow<'s, str> {
        match self {
            Self::One(text) => text,
            Self::Many {
                combination, list, ..
            } => Cow::Owned(format!(r#"{{"{combination}":[{}]}}"#, list.join(","))),
        }
    }

    /// This and another, in that combination.
    fn with(self, other: Self, combination: &'static str) -> Self {
        let (mut list, mut known) = match self {
            Self::Many {
                combination: same,
                list,
                known,
            } if same == combination => (list, known),
            shape => {
                let text = shape.into_text();
                (vec![text.clone()], HashSet::from([text]))
            }
        };
        let others = match other {
            Self::Many {
                combination: same,
                list,
                ..
            } if same == combination => list,
            shape => vec![shape.into_text()],
        };
        for text in others {
            if known.insert(text.clone()) {
                list.push(text);
            }
        }
        match &mut list[..] {
            [only] => Self::One(std::mem::take(only)),
            _ => Self::Many {
                combination,
                list,
                known,
            },
        }
    }
}

impl<'s> Flat<'s> {
    fn require(&mut self, name: Cow<'s, str>) {
        if self.known.insert(name.clone()) {
            self.required.push(name);
        }
    }

    fn property(&mut self, name: Cow<'s, str>, shape: Shape<'s>, combination: &'static str) {
        let place = self.places.get(&name);
        if let Some((_, known)) = place.and_then(|place| self.properties.get_mut(*place)) {
            let before = std::mem::replace(known, Shape::One(Cow::Borrowed("")));
            *known = before.with(shape, combination);
            return;
        }
        self.places.insert(name.clone(), self.properties.len());
        self.properties.push((name, shape));
    }

    /// This and another at once.
    fn add(&mut self, other: Self) {
        for (name, shape) in other.properties {
            self.property(name, shape, "allOf");
        }
        other
            .required
            .into_iter()
            .for_each(|name| self.require(name));
    }

    /// This or another.
    fn or(&mut self, other: Self) {
        self.required.retain(|name| other.known.contains(name));
        self.known.retain(|name| other.known.contains(name));
        for (name, shape) in other.properties {
            self.property(name, shape, "anyOf");
        }
    }

    /// This or anything else.
    fn or_anything(&mut self) {
        self.required.clear();
        self.known.clear();
        for (_, shape) in &mut self.properties {
            let before = std::mem::replace(shape, Shape::One(Cow::Borrowed("")));
            *shape = before.with(Shape::One(Cow::Borrowed("{}")), "anyOf");
        }
    }
}

struct Flattening<'t, 's> {
    /// References are to this.
    root: &'t Tree<'s>,
    /// How much may still be looked at: references may go in circles.
    left: usize,
    bytes: usize,
}

impl<'t, 's> Flattening<'t, 's> {
    fn count(&mut self, bytes: usize) -> Result<(), Unfit> {
        self.left = self.left.checked_sub(1).ok_or(Unfit::Large)?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(Unfit::Large)?;
        Ok(())
    }

    fn of(&mut self, schema: &'t Tree<'s>, depth: u8) -> Result<Flat<'s>, Unfit> {
        self.count(0)?;
        if depth == DEEPEST {
            return Err(Unfit::Large);
        }
        let mut flat = Flat::default();
        for (key, value) in schema.pairs() {
            match &**key {
                "properties" => {
                    for (name, schema) in value.pairs() {
                        self.count(name.len() + schema.text.len())?;
                        let shape = Shape::One(Cow::Borrowed(schema.text));
                        flat.property(name.clone(), shape, "allOf");
                    }
                }
                "required" => {
                    for name in value.list() {
                        self.count(name.text.len())?;
                        if let Some(name) = name.string() {
                            flat.require(name);
                        }
                    }
                }
                "$ref" => {
                    let reference = value.string().unwrap_or_default();
                    let target = self.root.resolve(&reference);
                    let target = target.ok_or_else(|| Unfit::Unresolved(reference.into_owned()))?;
                    if is_object(target) {
                        flat.add(self.of(target, depth + 1)?);
                    }
                }
                "allOf" => {
                    for schema in value.list().iter().filter(|schema| is_object(schema)) {
                        flat.add(self.of(schema, depth + 1)?);
                    }
                }
                "anyOf" | "oneOf" => {
                    if let Some(either) = self.either(value, depth)? {
                        flat.add(either);
                    }
                }
                _ => {}
            }
        }
        Ok(flat)
    }

    /// One of several.
    fn either(&mut self, list: &'t Tree<'s>, depth: u8) -> Result<Option<Flat<'s>>, Unfit> {
        let mut either: Option<Flat<'s>> = None;
        let mut anything = false;
        for schema in list.list() {
            if schema.text == "true" || schema.is_object() && schema.pairs().is_empty() {
                anything = true;
            } else if is_object(schema) {
                let flat = self.of(schema, depth + 1)?;
                match &mut either {
                    Some(either) => either.or(flat),
                    None => either = Some(flat),
                }
            }
        }
        if let Some(either) = either.as_mut().filter(|_| anything) {
            either.or_anything();
        }
        Ok(either)
    }
}

/// Whether a schema has objects in it that it says anything of.
fn is_object(schema: &Tree<'_>) -> bool {
    schema.is_object()
        && schema
            .get("type")
            .is_none_or(|kind| may_be_object(kind.text))
}
