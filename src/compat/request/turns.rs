//! What turns need once they are complete.

use super::converse::{Block, Role, Turn};
use super::words::Words;
use crate::compat::family::{Beside, Family};

/// A text for a place that needs one; several models refuse blank ones.
const FILLER: &str = ".";

/// Makes the turns such that `family` takes them.
pub(super) fn finish<'n>(turns: &mut Vec<Turn<'n>>, family: &Family) {
    if family.beside_results != Beside::Anything {
        separate_results(turns, family.beside_results);
    }
    for turn in turns.iter_mut() {
        let has = |is: fn(&Block<'_>) -> bool| turn.content.iter().any(is);
        let bare = has(|block| matches!(block, Block::Document(_)))
            && !has(|block| matches!(block, Block::Text(_)));
        if bare {
            turn.content.push(Block::Text(Words::plain(FILLER)));
        }
    }
    turns.iter_mut().for_each(order_answer);
    trim_prefill(turns);
}

/// An answer of several messages has its reasoning first and its calls last, as each of them had.
fn order_answer(turn: &mut Turn<'_>) {
    if turn.role != Role::Assistant {
        return;
    }
    let mut last = 0;
    let mut rank = |block: &Block<'_>| {
        last = match block {
            Block::ReasoningContent(_) => 0,
            Block::ToolUse(_) => 2,
            // It belongs to what is before.
            Block::CachePoint(_) => last,
            _ => 1,
        };
        last
    };
    if turn.content.iter().map(&mut rank).is_sorted() {
        return;
    }
    let blocks = std::mem::take(&mut turn.content).into_iter();
    let mut blocks: Vec<(u8, Block<'_>)> = blocks.map(|block| (rank(&block), block)).collect();
    blocks.sort_by_key(|(rank, _)| *rank);
    turn.content = blocks.into_iter().map(|(_, block)| block).collect();
}

/// Whether this is the turn that [`separate_results`] puts in.
pub(super) fn is_filler(turn: &Turn<'_>) -> bool {
    matches!(&turn.content[..], [Block::Text(Words::Plain(text))] if text == FILLER)
}

/// Puts an assistant turn between tool results and what the model does not take beside them. Two
/// user turns in a row would not do: Bedrock merges them.
fn separate_results<'n>(turns: &mut Vec<Turn<'n>>, beside: Beside) {
    if !turns
        .iter()
        .any(|turn| refused_after(turn, beside).is_some())
    {
        return;
    }
    for mut turn in std::mem::take(turns) {
        let Some(results) = refused_after(&turn, beside) else {
            turns.push(turn);
            continue;
        };
        let content = turn.content.split_off(results);
        turns.push(turn);
        turns.push(Turn {
            role: Role::Assistant,
            content: vec![Block::Text(Words::plain(FILLER))],
        });
        turns.push(Turn {
            role: Role::User,
            content,
        });
    }
}

/// The number of results in a turn, if there is something after them that is not taken there.
fn refused_after(turn: &Turn<'_>, beside: Beside) -> Option<usize> {
    if !matches!(turn.content.first(), Some(Block::ToolResult(_))) {
        return None;
    }
    let is_result =
        |block: &&Block<'_>| matches!(block, Block::ToolResult(_) | Block::CachePoint(_));
    let results = turn.content.iter().take_while(is_result).count();
    let mut others = turn.content.iter().skip(results);
    let is_refused = match beside {
        Beside::Anything => false,
        Beside::Nothing => others.next().is_some(),
        Beside::TextAndImages => {
            others.any(|block| matches!(block, Block::Document(_) | Block::Audio(_)))
        }
    };
    is_refused.then_some(results)
}

/// An answer that the model is to go on with must not end in white space.
fn trim_prefill(turns: &mut [Turn<'_>]) {
    let Some(turn) = turns.last_mut().filter(|turn| turn.role == Role::Assistant) else {
        return;
    };
    let mut blocks = turn.content.iter_mut().rev();
    let last = blocks.find(|block| !matches!(block, Block::CachePoint(_)));
    if let Some(Block::Text(text)) = last {
        text.trim_end();
    }
}
