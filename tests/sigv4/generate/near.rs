//! Requests that differ from an earlier one in one place only: what a cache may mix up.

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use super::dice::Dice;
use super::headers::{NAMES, value};
use super::request::{self, Route};

/// Changes one thing, if it can.
pub fn change(route: &mut Route, dice: &mut Dice, tenants: usize, rules: usize) {
    match dice.below(15) {
        0 => route.method = request::method(dice),
        1 | 2 => change_uri(route, dice),
        3 | 4 => change_value(&mut route.headers, dice),
        5 => move_boundary(&mut route.headers, dice),
        6 => route.region = request::region(dice),
        7 => route.service = request::service(dice),
        // Region and service, said in one breath, stay what they are.
        8 => {
            let first = route.service.remove(0);
            route.region.push(first);
            if route.service.is_empty() {
                route.service.push(first);
            }
        }
        9 => route.tenant = dice.below(tenants),
        10 => route.rule = dice.below(rules),
        11 => {
            let name = dice.pick(NAMES);
            route.headers.append(name, value(dice));
        }
        12 => {
            let name = dice.pick(NAMES);
            route.headers.remove(name);
        }
        // What is not signed changes with every request.
        13 => {
            route
                .headers
                .insert(CONTENT_LENGTH, dice.below(1000).into());
            route.headers.insert("traceparent", value(dice));
        }
        _ => change_host(route, dice),
    }
}

fn change_uri(route: &mut Route, dice: &mut Dice) {
    let text = route.uri.to_string();
    let at = text.len() - dice.below(text.len().min(40));
    let changed = match dice.below(6) {
        0 => format!("{text}/"),
        1 => format!("{text}?"),
        2 => text.replacen("%3A", "%3a", 1),
        3 => text.replacen("%3A", ":", 1),
        4 if text.is_char_boundary(at) => format!("{}x{}", &text[..at], &text[at..]),
        _ if text.is_char_boundary(at) && at < text.len() => {
            let end = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
            format!("{}y{}", &text[..at], &text[end..])
        }
        _ => text,
    };
    let Ok(uri) = changed.parse::<Uri>() else {
        return;
    };
    // The authority stays, since without Host header it must be in normal form.
    if uri.authority() == route.uri.authority() && uri.scheme() == route.uri.scheme() {
        route.uri = uri;
    }
}

/// One byte of one value becomes another, is doubled, or goes.
fn change_value(headers: &mut HeaderMap, dice: &mut Dice) {
    let index = dice.below(headers.len());
    let Some(value) = headers.iter_mut().nth(index).map(|(_, value)| value) else {
        return;
    };
    let mut bytes = value.as_bytes().to_vec();
    let at = dice.below(bytes.len());
    match dice.below(4) {
        0 if !bytes.is_empty() => bytes[at] = *dice.pick(&[&b'a', &b'b', &b' ', &b'\t', &b',']),
        1 if !bytes.is_empty() => bytes.insert(at, bytes[at]),
        2 if !bytes.is_empty() => drop(bytes.remove(at)),
        _ => bytes.push(*dice.pick(&[&b' ', &b'a', &b'\t'])),
    }
    if let Ok(changed) = HeaderValue::from_bytes(&bytes) {
        *value = changed;
    }
}

/// The last byte of one value becomes the first of the next; or two values of one name become
/// one, or change places.
fn move_boundary(headers: &mut HeaderMap, dice: &mut Dice) {
    let mut pairs: Vec<(HeaderName, HeaderValue)> = headers
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if pairs.len() < 2 {
        return;
    }
    let at = dice.below(pairs.len() - 1);
    let (first, second) = (pairs[at].1.as_bytes(), pairs[at + 1].1.as_bytes());
    if pairs[at].0 == pairs[at + 1].0 {
        if dice.chance(50) {
            let joined = HeaderValue::from_bytes(&[first, second].join(&b','));
            pairs[at].1 = joined.expect("both were values");
            pairs.remove(at + 1);
        } else {
            let second = pairs[at + 1].1.clone();
            pairs[at + 1].1 = std::mem::replace(&mut pairs[at].1, second);
        }
    } else if let Some((last, rest)) = first.split_last() {
        let longer = [&[*last], second].concat();
        let (Ok(rest), Ok(longer)) = (
            HeaderValue::from_bytes(rest),
            HeaderValue::from_bytes(&longer),
        ) else {
            return;
        };
        if pairs[at].0 != HOST && pairs[at + 1].0 != HOST {
            (pairs[at].1, pairs[at + 1].1) = (rest, longer);
        }
    }
    headers.clear();
    headers.extend(pairs);
}

fn change_host(route: &mut Route, dice: &mut Dice) {
    let Some(host) = route.headers.get(HOST).and_then(|host| host.to_str().ok()) else {
        return;
    };
    let changed = match dice.below(4) {
        0 => host.to_ascii_uppercase(),
        1 => format!("{host}:443"),
        2 => format!("{host} "),
        _ => format!("{host}."),
    };
    if let Ok(changed) = HeaderValue::try_from(changed) {
        route.headers.insert(HOST, changed);
    }
}
