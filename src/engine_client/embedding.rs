//! Has the engine embed texts for a session.

use super::{batch, exchange, unexpected};
use socle_core::model::ModelSpec;
use socle_core::protocol::{Request, Response, Role};
use socle_core::{Error, Result, memory};
use std::ops::Range;

/// One vector for each text. `array` is the name of the array of the user that the texts come from, if there is one, and
/// their positions in it.
///
/// # Errors
/// `InputTooLong` for a text that exceeds the window of the model, unless such are to be truncated; those of [`exchange`].
pub fn vectors(
    spec: &ModelSpec,
    role: Role,
    truncate: bool,
    texts: &[&str],
    array: Option<(&str, &[usize])>,
) -> Result<Vec<Vec<f32>>> {
    let width = spec.dimensions as usize;
    let requests = batch::split(spec, texts);
    memory::ensure(texts.len().saturating_mul(width * size_of::<f32>() + size_of::<Vec<f32>>()))?;
    let mut vectors = vec![Vec::new(); texts.len()];
    let request = |number: usize| Request::Embed {
        model: spec.clone(),
        role,
        truncate,
        heads: Vec::new(),
        contents: texts[requests[number].clone()].to_vec(),
    };
    exchange(requests.len(), &request, &mut |number, mut answers| match answers.pop() {
        Some(Response::Vectors(values)) if values.len() == requests[number].len() * width => {
            for (place, vector) in vectors[requests[number].clone()].iter_mut().zip(values.chunks_exact(width)) {
                *place = vector.to_vec();
            }
            Ok(())
        }
        Some(Response::Failed { error, item }) => Err(locate(error, &requests[number], item, array)),
        _ => Err(unexpected()),
    })?;
    Ok(vectors)
}

/// Adds to an error which element of an array of the user it is about.
pub fn locate(mut error: Error, request: &Range<usize>, item: Option<u32>, array: Option<(&str, &[usize])>) -> Error {
    if let (Some(item), Some((name, positions))) = (item, array)
        && let Some(position) = positions.get(request.start + item as usize)
    {
        error.message = format!("element {} of {name}: {}", position + 1, error.message);
    }
    error
}
