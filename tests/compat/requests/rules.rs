//! What Bedrock asks of a Converse request, beyond its shape.

use std::collections::HashSet;

use serde_json::Value;

const NO_BLOCKS: &[Value] = &[];

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(NO_BLOCKS, Vec::as_slice)
}

fn fits(text: &str, others: &str) -> bool {
    let is_fit = |char: char| char.is_ascii_alphanumeric() || others.contains(char);
    (1..=64).contains(&text.len()) && text.chars().all(is_fit)
}

/// What is wrong with `converse`.
pub(crate) fn problems(converse: &Value) -> Vec<String> {
    let mut problems = Vec::new();
    let mut wrong = |is_wrong: bool, what: String| {
        if is_wrong {
            problems.push(what);
        }
    };
    let turns = list(converse, "messages");
    wrong(turns.is_empty(), "no messages".into());
    let (mut ids, mut called) = (HashSet::new(), HashSet::new());
    let (mut documents, mut points) = (Vec::new(), 0);
    for (index, turn) in turns.iter().enumerate() {
        let role = turn["role"].as_str().unwrap_or_default();
        let before = index.checked_sub(1).map(|index| &turns[index]["role"]);
        wrong(
            !["user", "assistant"].contains(&role),
            format!("{index}: role {role}"),
        );
        wrong(
            before == Some(&turn["role"]),
            format!("{index}: {role} twice"),
        );
        let blocks = list(turn, "content");
        wrong(blocks.is_empty(), format!("{index}: empty"));
        let has = |key: &str| blocks.iter().any(|block| block.get(key).is_some());
        wrong(
            has("document") && !has("text"),
            format!("{index}: document without text"),
        );
        wrong(
            role == "user" && has("toolUse"),
            format!("{index}: call of the user"),
        );
        wrong(
            role == "user" && has("reasoningContent"),
            format!("{index}: reasoning"),
        );
        wrong(
            role == "assistant" && has("toolResult"),
            format!("{index}: result"),
        );

        let mut uses = Vec::new();
        for call in blocks.iter().filter_map(|block| block.get("toolUse")) {
            let id = call["toolUseId"].as_str().unwrap_or_default();
            let name = call["name"].as_str().unwrap_or_default();
            wrong(!fits(id, "_.:-"), format!("{index}: id {id}"));
            wrong(!fits(name, "_-"), format!("{index}: name {name}"));
            wrong(!call["input"].is_object(), format!("{index}: input"));
            wrong(!ids.insert(id), format!("{index}: id {id} twice"));
            called.insert(name);
            uses.push(id);
        }
        let next = turns
            .get(index + 1)
            .map_or(NO_BLOCKS, |turn| list(turn, "content"));
        let results = next.iter().filter_map(|block| block.get("toolResult"));
        let mut answers: Vec<_> = results
            .map(|result| result["toolUseId"].as_str().unwrap_or_default())
            .collect();
        uses.sort_unstable();
        answers.sort_unstable();
        wrong(
            uses != answers,
            format!("{index}: calls {uses:?}, results {answers:?}"),
        );
        wrong(
            index == 0 && has("toolResult"),
            format!("{index}: result without a call"),
        );

        let others = blocks
            .iter()
            .filter(|block| block.get("cachePoint").is_none());
        let others = others.map(|block| block.get("toolResult").is_none());
        wrong(
            !others.is_sorted(),
            format!("{index}: results are not first"),
        );

        let inner = blocks
            .iter()
            .filter_map(|block| block.get("toolResult"))
            .flat_map(|result| list(result, "content"));
        for block in blocks.iter().chain(inner) {
            let is_blank = |text: &str| text.trim().is_empty();
            wrong(
                block["text"].as_str().is_some_and(is_blank),
                format!("{index}: blank text"),
            );
            points += usize::from(block.get("cachePoint").is_some());
            documents.extend(block["document"]["name"].as_str());
        }
    }
    for block in list(converse, "system") {
        let is_blank = |text: &str| text.trim().is_empty();
        wrong(
            block["text"].as_str().is_some_and(is_blank),
            "blank system".into(),
        );
        points += usize::from(block.get("cachePoint").is_some());
    }
    let distinct: HashSet<_> = documents.iter().collect();
    wrong(
        distinct.len() != documents.len() || documents.len() > 5,
        format!("documents {documents:?}"),
    );
    for name in documents {
        let is_fit = |char: char| char.is_ascii_alphanumeric() || " -()[]".contains(char);
        let fits = name.chars().all(is_fit) && !name.contains("  ") && name.trim() == name;
        wrong(
            !fits || name.is_empty() || name.len() > 200,
            format!("document {name:?}"),
        );
    }

    let tools = list(&converse["toolConfig"], "tools");
    wrong(
        converse.get("toolConfig").is_some() && tools.is_empty(),
        "no tools in toolConfig".into(),
    );
    wrong(
        !called.is_empty() && tools.is_empty(),
        "calls, but no tools".into(),
    );
    let mut names = HashSet::new();
    for tool in tools {
        points += usize::from(tool.get("cachePoint").is_some());
        let Some(spec) = tool.get("toolSpec") else {
            continue;
        };
        let name = spec["name"].as_str().unwrap_or_default();
        wrong(!fits(name, "_-"), format!("tool {name}"));
        wrong(!names.insert(name), format!("tool {name} twice"));
        let schema = &spec["inputSchema"]["json"];
        let combined = ["anyOf", "oneOf", "allOf", "$ref"];
        wrong(
            schema["type"] != "object" || combined.iter().any(|key| schema.get(key).is_some()),
            format!("schema of {name}"),
        );
        wrong(spec["description"] == "", format!("description of {name}"));
    }
    if let Some(name) = converse["toolConfig"]["toolChoice"]["tool"]["name"].as_str() {
        wrong(!names.contains(name), format!("choice {name}"));
    }
    wrong(points > 4, format!("{points} cache points"));

    let inference = &converse["inferenceConfig"];
    for key in ["temperature", "topP"] {
        let outside = |number: f64| !(0.0..=1.0).contains(&number);
        wrong(inference[key].as_f64().is_some_and(outside), key.into());
    }
    let most = i64::from(i32::MAX);
    let outside = |count: i64| !(1..=most).contains(&count);
    wrong(
        inference["maxTokens"].as_i64().is_some_and(outside),
        "maxTokens".into(),
    );
    problems
}
