//! Boosts: factors by which columns of the source raise or lower scores, such as the age of a document.
//!
//! ```json
//! [{"column": "published", "decay": "exponential", "scale": "30 days", "weight": 0.5},
//!  {"column": "views", "function": "logarithm", "weight": 0.2}]
//! ```
//!
//! A decay of weight w gives the factor `(1 − w) + w·f(d)`, where d is how much further than `offset` the value is from
//! `origin`, in either direction, and f is one of [`Curve`]. A logarithm gives `1 + w·ln(1 + max(value, 0))`. NULL and
//! NaN count as a value infinitely far away, or as 0: the factor is the least there is. Factors of several boosts are
//! multiplied. No part of a boost is copied into the SQL: values are parameters, names come from the catalog.

use super::filter::{FilterColumn, Parameter};
use crate::{Error, Kind, Result};
use serde::Deserialize;

/// Most boosts of one search.
pub const MAX_BOOSTS: usize = 16;

/// Relative standard deviation up to which scores count as equal.
const EQUAL: f64 = 1e-9;

/// OIDs of the types of numbers that are read as `float8`: int8, int2, int4, float4, float8.
const NUMBERS: [u32; 5] = [20, 21, 23, 700, 701];

/// OID of numeric, which is read as text: not every value of it fits into a float8.
const NUMERIC: u32 = 1700;

/// OIDs of date, timestamp and timestamptz.
const TIMES: [u32; 3] = [1082, 1114, 1184];

const INTERVAL: u32 = 1186;

const EXAMPLE: &str =
    "A boost looks like {\"column\": \"published\", \"decay\": \"exponential\", \"scale\": \"30 days\"}.";

/// How a decay falls with the distance d: it is 1 at 0 and a, the `decay_at_scale`, at the scale s. The decay functions
/// of OpenSearch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Curve {
    /// `exp(ln(a)·d/s)`
    Exponential,
    /// `exp(ln(a)·(d/s)²)`
    Gaussian,
    /// `max(0, 1 − (1 − a)·d/s)`
    Linear,
}

impl Curve {
    fn parse(name: &str) -> Result<Self> {
        match name {
            "exponential" => Ok(Self::Exponential),
            "gaussian" => Ok(Self::Gaussian),
            "linear" => Ok(Self::Linear),
            _ => Err(Error::new(Kind::InvalidArgument, format!("boost decay \"{name}\" does not exist"))
                .hint("Decays are \"exponential\", \"gaussian\" and \"linear\".")),
        }
    }

    fn at(self, distance: f64, scale: f64, at_scale: f64) -> f64 {
        let relative = distance / scale;
        match self {
            Self::Exponential => (at_scale.ln() * relative).exp(),
            Self::Gaussian => (at_scale.ln() * relative * relative).exp(),
            Self::Linear => (1.0 - (1.0 - at_scale) * relative).max(0.0),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Decay { curve: Curve, origin: f64, scale: f64, offset: f64, at_scale: f64 },
    Logarithm,
}

/// One boost, and how its value is read.
#[derive(Clone, Debug, PartialEq)]
struct Term {
    column: String,
    function: Function,
    weight: f64,
    sql: String,
    is_text: bool,
}

/// The boosts of a search in one corpus.
#[derive(Clone, Debug, PartialEq)]
pub struct Boosts {
    terms: Vec<Term>,
    /// The values for `$n` and on, in this order, each of its own type.
    pub parameters: Vec<Parameter>,
}

/// A boost as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    column: String,
    decay: Option<String>,
    function: Option<String>,
    origin: Option<serde_json::Value>,
    scale: Option<serde_json::Value>,
    offset: Option<serde_json::Value>,
    decay_at_scale: Option<f64>,
    weight: Option<f64>,
}

impl Boosts {
    /// Compiles the JSON text `boost`; `None` for an empty list. `columns` are those of the source, `alias` is the source
    /// row as it stands in SQL, the parameters are numbered from `first_parameter`, and `seconds` reads an interval.
    ///
    /// # Errors
    /// [`Kind::InvalidArgument`] for what is not a boost; [`Kind::UnknownColumn`]; [`Kind::WrongColumnType`] for a
    /// column that holds neither numbers nor times, and for values that do not fit the type; those of `seconds`.
    pub fn compile(
        boost: &str,
        columns: &[FilterColumn],
        alias: &str,
        first_parameter: usize,
        seconds: &dyn Fn(&Parameter) -> Result<f64>,
    ) -> Result<Option<Self>> {
        let written = written(boost)?;
        if written.len() > MAX_BOOSTS {
            return Err(Error::new(Kind::InvalidArgument, format!("boost has more than {MAX_BOOSTS} elements"))
                .hint("A generated column can combine several columns."));
        }
        let mut boosts = Self { terms: Vec::new(), parameters: Vec::new() };
        for written in &written {
            let column = FilterColumn::find(columns, &written.column, "boost")?;
            let term = if TIMES.contains(&column.type_id) {
                boosts.of_time(written, column, alias, first_parameter, seconds)?
            } else {
                of_number(written, column, alias)?
            };
            boosts.terms.push(term);
        }
        Ok((!boosts.terms.is_empty()).then_some(boosts))
    }

    /// The values of the boosts as a list of SQL expressions.
    pub fn sql(&self) -> String {
        self.terms.iter().map(|term| term.sql.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Whether each value comes as text, instead of as `float8`.
    pub fn are_texts(&self) -> impl Iterator<Item = bool> + '_ {
        self.terms.iter().map(|term| term.is_text)
    }

    /// The factor of a row with these values.
    pub fn factor(&self, values: &[Option<f64>]) -> f64 {
        let values = values.iter().copied().chain(std::iter::repeat(None));
        self.terms.iter().zip(values).map(|(term, value)| term.factor(value)).product()
    }

    /// Names of the columns.
    pub fn columns(&self) -> String {
        self.terms.iter().map(|term| format!("\"{}\"", term.column)).collect::<Vec<_>>().join(", ")
    }

    fn of_time(
        &mut self,
        written: &Written,
        column: &FilterColumn,
        alias: &str,
        first_parameter: usize,
        seconds: &dyn Fn(&Parameter) -> Result<f64>,
    ) -> Result<Term> {
        let Some(curve) = written.curve()? else {
            return Err(impossible(column, "\"logarithm\" takes columns of numbers."));
        };
        let text = |name: &str, value: &Option<serde_json::Value>| match value {
            None => Ok(None),
            Some(serde_json::Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(written.mismatch(name, "a text, such as \"now\" or \"30 days\"", column)),
        };
        let length = |name: &str, value: &Option<serde_json::Value>| {
            let read = |value| seconds(&Parameter { column: column.name.clone(), type_id: INTERVAL, value });
            text(name, value)?.map(read).transpose()
        };
        let function =
            written.decay(curve, 0.0, length("scale", &written.scale)?, length("offset", &written.offset)?)?;
        let number = first_parameter + self.parameters.len();
        let origin = text("origin", &written.origin)?.unwrap_or_else(|| "now".to_string());
        self.parameters.push(Parameter { column: column.name.clone(), type_id: column.type_id, value: origin });
        // Not date_part, which fails for dates that a timestamp cannot have.
        let epoch =
            |sql: String| format!("pg_catalog.extract('epoch', ({sql})::{})::pg_catalog.float8", column.type_sql);
        let (value, origin) = (epoch(column.of(alias)), epoch(format!("${number}")));
        let sql = format!("({value} OPERATOR(pg_catalog.-) {origin})");
        Ok(Term { column: column.name.clone(), function, weight: written.weight()?, sql, is_text: false })
    }
}

/// The boosts in a JSON text: a list of objects, or one object.
fn written(boost: &str) -> Result<Vec<Written>> {
    let invalid = |error: serde_json::Error| {
        let detail = format!("{error}.").replace("f64", "a number");
        Error::new(Kind::InvalidArgument, "boost is not valid").detail(detail).hint(EXAMPLE)
    };
    let objects = match serde_json::from_str(boost).map_err(invalid)? {
        serde_json::Value::Array(list) => list,
        other => vec![other],
    };
    if !objects.iter().all(serde_json::Value::is_object) {
        let message = "boost must be an object or a list of objects";
        return Err(Error::new(Kind::InvalidArgument, message).hint(EXAMPLE));
    }
    objects.into_iter().map(|object| serde_json::from_value(object).map_err(invalid)).collect()
}

fn of_number(written: &Written, column: &FilterColumn, alias: &str) -> Result<Term> {
    let is_text = column.type_id == NUMERIC;
    if !is_text && !NUMBERS.contains(&column.type_id) {
        return Err(impossible(column, "Boosts take columns of numbers, dates and timestamps."));
    }
    let number = |name: &str, value: &Option<serde_json::Value>| match value {
        None => Ok(None),
        Some(value) => value.as_f64().map(Some).ok_or_else(|| written.mismatch(name, "a number", column)),
    };
    let function = match written.curve()? {
        Some(curve) => {
            let Some(origin) = number("origin", &written.origin)? else {
                return Err(written
                    .error("needs an \"origin\"")
                    .hint("It is the number from which the distance of a value is measured."));
            };
            written.decay(curve, origin, number("scale", &written.scale)?, number("offset", &written.offset)?)?
        }
        None => Function::Logarithm,
    };
    let sql = format!("({})::pg_catalog.{}", column.of(alias), if is_text { "numeric" } else { "float8" });
    Ok(Term { column: column.name.clone(), function, weight: written.weight()?, sql, is_text })
}

fn impossible(column: &FilterColumn, hint: &str) -> Error {
    Error::new(Kind::WrongColumnType, format!("boost is not possible on column \"{}\"", column.name))
        .detail(format!("The column has type {}.", column.type_name))
        .hint(hint)
}

impl Written {
    /// The curve of a decay; `None` for a logarithm.
    fn curve(&self) -> Result<Option<Curve>> {
        match (self.decay.as_deref(), self.function.as_deref()) {
            (Some(decay), None) => Curve::parse(decay).map(Some),
            (None, Some("logarithm")) => {
                let extra = [
                    ("origin", self.origin.is_some()),
                    ("scale", self.scale.is_some()),
                    ("offset", self.offset.is_some()),
                    ("decay_at_scale", self.decay_at_scale.is_some()),
                ];
                match extra.into_iter().find(|(_, is_there)| *is_there) {
                    Some((name, _)) => Err(self
                        .error(&format!("has no \"{name}\" with \"logarithm\""))
                        .hint(format!("Omit \"{name}\", or choose a \"decay\" instead of a \"function\"."))),
                    None => Ok(None),
                }
            }
            (None, Some(name)) => {
                Err(Error::new(Kind::InvalidArgument, format!("boost function \"{name}\" does not exist"))
                    .hint("The function is \"logarithm\"; a \"decay\" is the other kind of boost."))
            }
            _ => Err(self.error("needs either \"decay\" or \"function\"").hint(EXAMPLE)),
        }
    }

    fn decay(&self, curve: Curve, origin: f64, scale: Option<f64>, offset: Option<f64>) -> Result<Function> {
        let Some(scale) = scale else { return Err(self.error("needs a \"scale\"").hint(EXAMPLE)) };
        if !(scale.is_finite() && scale > 0.0) {
            return Err(self
                .error("must have a finite \"scale\" greater than 0")
                .hint("It is the distance from \"origin\" at which the decay is \"decay_at_scale\"."));
        }
        let offset = offset.unwrap_or_default();
        if !(offset.is_finite() && offset >= 0.0) {
            return Err(self
                .error("must have a finite \"offset\" of at least 0")
                .hint("It is the distance from \"origin\" up to which the decay is 1."));
        }
        let at_scale = self.decay_at_scale.unwrap_or(0.5);
        if !(at_scale > 0.0 && at_scale < 1.0) {
            return Err(self
                .error("must have a \"decay_at_scale\" greater than 0 and less than 1")
                .hint("It is the decay of a value that is as far from \"origin\" as the \"scale\" says."));
        }
        Ok(Function::Decay { curve, origin, scale, offset, at_scale })
    }

    fn weight(&self) -> Result<f64> {
        let weight = self.weight.unwrap_or(1.0);
        if (0.0..=1.0).contains(&weight) {
            return Ok(weight);
        }
        Err(self.error("must have a \"weight\" from 0 to 1").hint("With 0, the boost has no effect; 1 is the default."))
    }

    fn error(&self, what: &str) -> Error {
        Error::new(Kind::InvalidArgument, format!("boost on column \"{}\" {what}", self.column))
    }

    fn mismatch(&self, name: &str, wanted: &str, column: &FilterColumn) -> Error {
        let message = format!("\"{name}\" of the boost on column \"{}\" must be {wanted}", self.column);
        Error::new(Kind::WrongColumnType, message)
            .detail(format!("The column has type {}.", column.type_name))
            .hint("Columns of numbers take numbers; dates and timestamps take texts, as SQL has them.")
    }
}

impl Term {
    fn factor(&self, value: Option<f64>) -> f64 {
        let value = value.filter(|value| !value.is_nan());
        match self.function {
            Function::Decay { curve, origin, scale, offset, at_scale } => {
                let distance = value.map_or(f64::INFINITY, |value| ((value - origin).abs() - offset).max(0.0));
                (1.0 - self.weight) + self.weight * curve.at(distance, scale, at_scale)
            }
            // The largest number bounds the factor: its logarithm is 710.
            Function::Logarithm => 1.0 + self.weight * value.unwrap_or_default().clamp(0.0, f64::MAX).ln_1p(),
        }
    }
}

/// The score from which a boost counts, of scores that have no zero of their own, such as similarities: one standard
/// deviation below the lowest. 0 if all are equal.
pub fn floor(scores: &[f64]) -> f64 {
    let known: Vec<f64> = scores.iter().copied().filter(|score| score.is_finite()).collect();
    let count = known.len().max(1) as f64;
    let mean = known.iter().sum::<f64>() / count;
    let deviation = (known.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / count).sqrt();
    let largest = known.iter().fold(0.0_f64, |largest, score| largest.max(score.abs()));
    if deviation <= EQUAL * largest { 0.0 } else { known.iter().copied().fold(f64::INFINITY, f64::min) - deviation }
}

/// A score after a boost: the factor applies to what the score has above the floor. A lower score stays, so that a
/// factor below 1 never raises a negative score.
pub fn boosted(score: f64, floor: f64, factor: f64) -> f64 {
    if score > floor { floor + (score - floor) * factor } else { score }
}

#[cfg(test)]
mod tests;
