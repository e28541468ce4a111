//! Reads an answer, streamed or whole: its text, why it ended, and the numbers of its tokens. What a model writes to itself
//! before it answers is no part of the answer, in whichever field it comes.

use super::failure::code_of;
use super::{Dialect, Value};
use crate::generator::Finish;

/// Marks between which some models write to themselves, in the text itself.
const THOUGHT: (&str, &str) = ("<think>", "</think>");

/// Why an answer is of no use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Trouble {
    /// It is not what the dialect says.
    Malformed,
    /// The server reports a failure in the middle, with one of the known codes if it is one.
    Failed(Option<&'static str>),
    /// A filter of the server has ended it.
    Filtered,
    /// It has a call of a tool, though none was offered.
    CallsATool,
}

/// What is known of an answer so far.
#[derive(Debug)]
pub struct Answer {
    dialect: Dialect,
    /// Why it has ended.
    pub finish: Option<Finish>,
    /// Whether the server has said that nothing follows.
    pub is_complete: bool,
    /// Tokens of the prompt, as the server counts them.
    pub prompt_tokens: Option<u32>,
    /// Tokens of the answer, as the server counts them.
    pub answer_tokens: Option<u32>,
    /// Whether it has a call of a tool, which nobody has offered: no part of the text.
    pub calls_a_tool: bool,
    /// The text at the beginning, while it may still be the begin of a thought; `None` afterwards.
    held: Option<String>,
}

impl Answer {
    /// An answer that has not begun.
    pub fn new(dialect: Dialect) -> Self {
        let held = Some(String::new());
        let (finish, prompt_tokens, answer_tokens) = (None, None, None);
        Self { dialect, finish, is_complete: false, prompt_tokens, answer_tokens, calls_a_tool: false, held }
    }

    /// Reads an event of a stream. Returns the text that it adds.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn event(&mut self, data: &str) -> Result<String, Trouble> {
        if data.trim() == "[DONE]" {
            self.is_complete = true;
            return Ok(String::new());
        }
        let event: Value = serde_json::from_str(data).map_err(|_| Trouble::Malformed)?;
        let event = match &event {
            // Gemini puts errors into arrays.
            Value::Array(list) => list.first().ok_or(Trouble::Malformed)?,
            other => other,
        };
        if event.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Trouble::Failed(code_of(event)));
        }
        let text = match self.dialect {
            Dialect::Anthropic => self.anthropic_event(event)?,
            _ => self.openai(event, "delta")?,
        };
        Ok(self.without_thought(text))
    }

    /// Reads an answer that came as a whole.
    ///
    /// # Errors
    /// [`Trouble`].
    pub fn whole(&mut self, body: &str) -> Result<String, Trouble> {
        let answer: Value = serde_json::from_str(body).map_err(|_| Trouble::Malformed)?;
        if answer.get("error").is_some_and(|error| !error.is_null()) {
            return Err(Trouble::Failed(code_of(&answer)));
        }
        let text = match self.dialect {
            Dialect::Anthropic => {
                self.anthropic_usage(answer.get("usage"));
                self.stopped(answer.get("stop_reason"))?;
                content(answer.get("content")).ok_or(Trouble::Malformed)?
            }
            _ if answer.get("choices").is_none() => return Err(Trouble::Malformed),
            _ => self.openai(&answer, "message")?,
        };
        self.is_complete = true;
        Ok(self.without_thought(text) + &self.rest())
    }

    /// The text that was held back because it might have been the begin of a thought, once there is no more.
    pub fn rest(&mut self) -> String {
        let held = self.held.take().unwrap_or_default();
        if held.trim_start().starts_with(THOUGHT.0) { String::new() } else { held }
    }

    fn openai(&mut self, event: &Value, part: &str) -> Result<String, Trouble> {
        if let Some(usage) = event.get("usage") {
            self.prompt_tokens = number(usage, "prompt_tokens").or(self.prompt_tokens);
            self.answer_tokens = number(usage, "completion_tokens").or(self.answer_tokens);
        }
        // The last event may have none: it is for the usage.
        let Some(choice) = event.get("choices").and_then(|choices| choices.get(0)) else { return Ok(String::new()) };
        self.stopped(choice.get("finish_reason"))?;
        let calls = choice.get(part).and_then(|part| part.get("tool_calls")).and_then(Value::as_array);
        self.calls_a_tool |= calls.is_some_and(|calls| !calls.is_empty());
        // Fields such as reasoning, reasoning_content or thinking are not read.
        Ok(choice.get(part).and_then(|part| content(part.get("content"))).unwrap_or_default())
    }

    fn anthropic_event(&mut self, event: &Value) -> Result<String, Trouble> {
        match event.get("type").and_then(Value::as_str) {
            Some("message_start") => {
                self.anthropic_usage(event.get("message").and_then(|message| message.get("usage")));
            }
            Some("content_block_start") => {
                let block = event.get("content_block").and_then(|block| block.get("type"));
                self.calls_a_tool |= block.and_then(Value::as_str) == Some("tool_use");
            }
            Some("content_block_delta") => {
                let delta = event.get("delta").ok_or(Trouble::Malformed)?;
                if delta.get("type").and_then(Value::as_str) == Some("text_delta") {
                    return Ok(delta.get("text").and_then(Value::as_str).unwrap_or_default().to_string());
                }
            }
            Some("message_delta") => {
                self.anthropic_usage(event.get("usage"));
                self.stopped(event.get("delta").and_then(|delta| delta.get("stop_reason")))?;
            }
            Some("message_stop") => self.is_complete = true,
            Some(_) => {}
            None => return Err(Trouble::Malformed),
        }
        Ok(String::new())
    }

    fn anthropic_usage(&mut self, usage: Option<&Value>) {
        let Some(usage) = usage else { return };
        self.prompt_tokens = number(usage, "input_tokens").or(self.prompt_tokens);
        self.answer_tokens = number(usage, "output_tokens").or(self.answer_tokens);
    }

    fn stopped(&mut self, reason: Option<&Value>) -> Result<(), Trouble> {
        let Some(reason) = reason.and_then(Value::as_str) else { return Ok(()) };
        self.finish = Some(match reason {
            "length" | "max_tokens" | "model_length" | "model_context_window_exceeded" => Finish::Length,
            "content_filter" | "refusal" | "safety" => return Err(Trouble::Filtered),
            "error" => return Err(Trouble::Failed(None)),
            _ => Finish::Stop,
        });
        Ok(())
    }

    /// The text without a thought at its beginning.
    fn without_thought(&mut self, text: String) -> String {
        let Some(held) = &mut self.held else { return text };
        held.push_str(&text);
        let begin = held.trim_start();
        if begin.starts_with(THOUGHT.0) {
            let Some((_, after)) = begin.split_once(THOUGHT.1) else { return String::new() };
            let after = after.trim_start().to_string();
            self.held = None;
            return after;
        }
        if THOUGHT.0.starts_with(begin) {
            return String::new();
        }
        self.held.take().unwrap_or_default()
    }
}

/// A text, or the texts of a list of parts, without parts of other types.
fn content(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) => Some(text.clone()),
        Value::Array(parts) => {
            let is_text = |part: &&Value| part.get("type").and_then(Value::as_str) == Some("text");
            Some(parts.iter().filter(is_text).filter_map(|part| part.get("text")?.as_str()).collect())
        }
        _ => None,
    }
}

fn number(value: &Value, name: &str) -> Option<u32> {
    value.get(name)?.as_u64().map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}
