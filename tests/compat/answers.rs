//! Answers of Converse, as OpenAI gives them.
