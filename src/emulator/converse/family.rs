//! What each family of models takes and refuses.

/// A family, by a part of the model id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) vendor: Vendor,
    pub(super) sampling: Sampling,
    pub(super) thinking: Thinking,
    /// The highest effort that it takes; none at all if empty.
    pub(super) effort: &'static str,
    pub(super) system: bool,
    pub(super) tools: bool,
    /// `toolChoice` `any` and `tool`.
    pub(super) forced_tool: bool,
    pub(super) strict_tools: bool,
    /// `outputConfig.textFormat`.
    pub(super) schema: bool,
    pub(super) cache: bool,
    pub(super) stop: bool,
    pub(super) s3: bool,
    /// The conversation may begin with the assistant.
    pub(super) leads: bool,
    /// The conversation may end with the assistant.
    pub(super) prefill: bool,
    /// Two messages of one role in a row are refused, not merged.
    pub(super) alternates: bool,
    pub(super) beside_results: Beside,
    /// `toolResult.status`.
    pub(super) status: bool,
    /// `reasoningContent` in the history.
    pub(super) reasoning: bool,
    /// Media that it takes in messages.
    pub(super) media: &'static [&'static str],
    /// Media that it takes in tool results.
    pub(super) media_in_results: &'static [&'static str],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    Claude,
    Nova,
    GptOss,
    Qwen,
    Other,
}

/// `temperature` and `topP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sampling {
    Free,
    OneOfThem,
    Neither,
}

/// The forms of thinking that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Thinking {
    No,
    /// `enabled` with a budget.
    Budget,
    /// That and `adaptive`.
    Both,
    /// `adaptive` only.
    Adaptive,
    /// The same, and it cannot be disabled.
    Always,
    /// Nova's `reasoningConfig`.
    Nova,
}

/// What may share a turn with tool results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    Anything,
    NoFiles,
    Nothing,
}

const MEDIA: &[&str] = &["image", "document", "video", "audio"];

/// Takes everything: a model that nobody described.
const ANY: Family = Family {
    vendor: Vendor::Other,
    sampling: Sampling::Free,
    thinking: Thinking::No,
    effort: "max",
    system: true,
    tools: true,
    forced_tool: true,
    strict_tools: true,
    schema: true,
    cache: true,
    stop: true,
    s3: true,
    leads: true,
    prefill: true,
    alternates: false,
    beside_results: Beside::Anything,
    status: true,
    reasoning: true,
    media: MEDIA,
    media_in_results: MEDIA,
};

/// What all Claude models have in common.
const CLAUDE: Family = Family {
    vendor: Vendor::Claude,
    thinking: Thinking::Both,
    s3: false,
    beside_results: Beside::NoFiles,
    media: &["image", "document"],
    media_in_results: &["image", "document"],
    ..ANY
};
const CLAUDE_2: Family = Family {
    thinking: Thinking::No,
    tools: false,
    cache: false,
    media: &[],
    ..CLAUDE_3
};
const CLAUDE_3: Family = Family {
    thinking: Thinking::No,
    effort: "",
    schema: false,
    ..CLAUDE
};
const CLAUDE_4: Family = Family {
    thinking: Thinking::Budget,
    ..CLAUDE_3
};
const CLAUDE_4_5: Family = Family {
    sampling: Sampling::OneOfThem,
    schema: true,
    ..CLAUDE_4
};
const CLAUDE_4_6: Family = Family {
    thinking: Thinking::Both,
    effort: "max",
    prefill: false,
    ..CLAUDE_4_5
};
/// From 4.7 on there is no sampling and no budget.
const CLAUDE_5: Family = Family {
    sampling: Sampling::Neither,
    thinking: Thinking::Adaptive,
    effort: "xhigh",
    strict_tools: false,
    ..CLAUDE_4_6
};
const CLAUDE_ALWAYS: Family = Family {
    thinking: Thinking::Always,
    ..CLAUDE_5
};

const NOVA: Family = Family {
    vendor: Vendor::Nova,
    effort: "",
    schema: false,
    strict_tools: false,
    leads: false,
    prefill: false,
    alternates: true,
    reasoning: false,
    media: &["image", "document", "video"],
    media_in_results: &["image", "document"],
    ..ANY
};

/// The smaller vendors: no forced tools, no caching, no files, no schemas.
const PLAIN: Family = Family {
    forced_tool: false,
    effort: "",
    strict_tools: false,
    schema: false,
    cache: false,
    leads: false,
    beside_results: Beside::Nothing,
    reasoning: false,
    media: &["document"],
    media_in_results: &[],
    ..ANY
};
const TITAN: Family = Family {
    system: false,
    tools: false,
    ..PLAIN
};
/// Open models that came later.
const OPEN: Family = Family {
    cache: false,
    media_in_results: &[],
    ..ANY
};

/// The first whose name the id contains.
const FAMILIES: &[(&str, Family)] = &[
    (
        "claude-opus-5-5",
        Family {
            forced_tool: false,
            effort: "max",
            schema: false,
            ..CLAUDE_ALWAYS
        },
    ),
    (
        "claude-sonnet-5-5",
        Family {
            forced_tool: false,
            ..CLAUDE_ALWAYS
        },
    ),
    ("claude-haiku-5-5", CLAUDE_5),
    (
        "claude-fable-5-1",
        Family {
            forced_tool: false,
            schema: false,
            ..CLAUDE_ALWAYS
        },
    ),
    (
        "claude-fable",
        Family {
            schema: false,
            ..CLAUDE_ALWAYS
        },
    ),
    ("claude-mythos", CLAUDE_ALWAYS),
    (
        "claude-opus-5",
        Family {
            effort: "max",
            schema: false,
            ..CLAUDE_5
        },
    ),
    ("claude-sonnet-5", CLAUDE_5),
    ("claude-opus-4-8", CLAUDE_5),
    (
        "claude-opus-4-7",
        Family {
            schema: false,
            ..CLAUDE_5
        },
    ),
    ("claude-opus-4-6", CLAUDE_4_6),
    ("claude-sonnet-4-6", CLAUDE_4_6),
    (
        "claude-opus-4-5",
        Family {
            effort: "high",
            ..CLAUDE_4_5
        },
    ),
    ("claude-sonnet-4-5", CLAUDE_4_5),
    ("claude-haiku-4-5", CLAUDE_4_5),
    (
        "claude-opus-4-1",
        Family {
            sampling: Sampling::OneOfThem,
            ..CLAUDE_4
        },
    ),
    ("claude-opus-4", CLAUDE_4),
    ("claude-sonnet-4", CLAUDE_4),
    ("claude-3-7", CLAUDE_4),
    ("claude-3", CLAUDE_3),
    ("claude-v2", CLAUDE_2),
    ("claude-instant", CLAUDE_2),
    ("anthropic", CLAUDE),
    (
        "nova-2",
        Family {
            thinking: Thinking::Nova,
            reasoning: true,
            ..NOVA
        },
    ),
    (
        "nova-micro",
        Family {
            media: &["document"],
            ..NOVA
        },
    ),
    ("nova", NOVA),
    ("titan", TITAN),
    (
        "llama4",
        Family {
            s3: false,
            media: &["image", "document"],
            media_in_results: &["image", "document"],
            ..PLAIN
        },
    ),
    (
        "llama3-8b",
        Family {
            tools: false,
            ..PLAIN
        },
    ),
    (
        "llama3-70b",
        Family {
            tools: false,
            ..PLAIN
        },
    ),
    ("llama", Family { s3: false, ..PLAIN }),
    ("mistral-7b", TITAN),
    ("mixtral", TITAN),
    (
        "pixtral",
        Family {
            media: &["image", "document"],
            media_in_results: &["document"],
            ..PLAIN
        },
    ),
    (
        "mistral-large-3",
        Family {
            schema: true,
            strict_tools: true,
            ..PLAIN
        },
    ),
    (
        "ministral-3",
        Family {
            schema: true,
            strict_tools: true,
            ..PLAIN
        },
    ),
    (
        "magistral",
        Family {
            schema: true,
            strict_tools: true,
            ..PLAIN
        },
    ),
    (
        "voxtral",
        Family {
            schema: true,
            strict_tools: true,
            media: &["audio", "document"],
            ..PLAIN
        },
    ),
    ("mistral", PLAIN),
    (
        "writer",
        Family {
            status: false,
            ..PLAIN
        },
    ),
    ("cohere.command-r", PLAIN),
    ("cohere", TITAN),
    ("ai21", PLAIN),
    (
        "deepseek.r1",
        Family {
            tools: false,
            schema: false,
            ..OPEN
        },
    ),
    (
        "qwen",
        Family {
            vendor: Vendor::Qwen,
            forced_tool: false,
            ..OPEN
        },
    ),
    (
        "gpt-oss",
        Family {
            vendor: Vendor::GptOss,
            stop: false,
            ..OPEN
        },
    ),
    (
        "openai.",
        Family {
            stop: false,
            ..OPEN
        },
    ),
    (
        "xai.",
        Family {
            stop: false,
            ..OPEN
        },
    ),
    ("moonshot", OPEN),
    ("zai.", OPEN),
    ("google.", OPEN),
    ("minimax", OPEN),
    ("nvidia", OPEN),
];

impl Family {
    /// That of a model id; one that takes everything if the id does not tell.
    pub(super) fn of(id: &str) -> &'static Self {
        FAMILIES
            .iter()
            .find(|(name, _)| id.contains(name))
            .map_or(&ANY, |(_, family)| family)
    }
}
