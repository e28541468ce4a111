//! A model that runs on an endpoint: what is known of it, and how it is noticed that another one answers in its place.
//!
//! Nothing says which weights a server runs. What can be known is what it makes of a text that is always the same: the probe.
//! Its vector is stored at registration and comes again with the vectors of every request, so that no vector of another model
//! is stored or compared beside those of this one.

use super::{CorpusPolicy, EndpointSpec};
use crate::model::ModelSpec;
use crate::{Error, Kind, Result};

/// The text whose vector is the probe of an embedding model.
pub const PROBE_TEXT: &str = "A backup of 1,024 files is kept for 30 days; la sauvegarde est chiffrée.";

/// The query and the documents whose scores are the probe of a reranker: the first answers, the second does not.
pub const PROBE_QUERY: &str = "How long is a backup kept?";
/// See [`PROBE_QUERY`].
pub const PROBE_DOCUMENTS: [&str; 2] = [PROBE_TEXT, "Visitors use the network guest."];

/// Least cosine of a probe with the stored one. Batches, processors and half precision change the last digits (0.9999 and more);
/// other weights of the same family change far more.
const MIN_COSINE: f64 = 0.995;

/// Largest difference of the score of a probe from the stored one, as a share of the larger of both, and besides that.
const SCORE_TOLERANCE: (f64, f64) = (0.05, 0.05);

/// Steps that a number of a unit vector has for the digest of a model: fewer than servers differ in.
const DIGEST_STEPS: f64 = 100.0;

/// Bounds of log-odds: a server that rounds a probability to 1 means no infinity.
const MAX_LOG_ODDS: f64 = 30.0;

/// What a server made of the probe when its model was registered: a vector, or scores.
#[derive(Clone, Debug, Default)]
pub struct Probe(pub Vec<f32>);

impl PartialEq for Probe {
    fn eq(&self, other: &Self) -> bool {
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.to_bits() == b.to_bits())
    }
}

impl Eq for Probe {}

/// How a model is served.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServedModel {
    /// The endpoint, as it is registered now.
    pub endpoint: EndpointSpec,
    /// Name of the model in requests.
    pub model: String,
    /// Name of the model in answers, where they have one.
    pub answered_model: Option<String>,
    /// What it made of the probe.
    pub probe: Probe,
    /// Whether its scores are probabilities, which become log-odds here: what rerankers on this machine give.
    pub gives_probabilities: bool,
    /// A model on this machine whose tokenizer counts its tokens; an estimate does without.
    pub tokenizer: Option<Box<ModelSpec>>,
    /// The corpora that the texts are of, or that a question is put to. Each has to allow the endpoint. None for texts of the
    /// caller; as long as it is not known, nothing is sent.
    pub corpora: Option<Vec<CorpusPolicy>>,
}

impl ServedModel {
    /// What distinguishes its results, as far as it can be known from here, besides the fields of [`ModelSpec`].
    pub fn identity(&self) -> [String; 3] {
        let length = self.probe.0.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        let steps = self.probe.0.iter().map(|number| (f64::from(*number) / length * DIGEST_STEPS).round());
        let probe: Vec<String> = steps.map(|number| (number as i64).to_string()).collect();
        [self.endpoint.dialect.name().to_string(), self.model.clone(), probe.join(" ")]
    }

    /// Checks that the vector of the probe is still that of the registration, and the name of the model, too.
    ///
    /// # Errors
    /// `NotInState`: another model answers.
    pub fn check_vector(&self, name: &str, answered_model: Option<&str>, probe: &[f32]) -> Result<()> {
        self.check_name(name, answered_model)?;
        if probe.len() != self.probe.0.len() {
            let (is, was) = (probe.len(), self.probe.0.len());
            return Err(
                self.drifted(name, &format!("Its vectors have {is} dimensions, at registration they had {was}."))
            );
        }
        let cosine = cosine(&self.probe.0, probe);
        // NaN is no similarity either.
        if cosine >= MIN_COSINE {
            return Ok(());
        }
        let detail = format!(
            "The vector of a text that is always the same has a cosine of {cosine:.4} with that of the registration, {MIN_COSINE} at least is needed."
        );
        Err(self.drifted(name, &detail))
    }

    /// The same for the scores of a reranker.
    ///
    /// # Errors
    /// Those of [`Self::check_vector`].
    pub fn check_scores(&self, name: &str, answered_model: Option<&str>, probe: &[f32]) -> Result<()> {
        self.check_name(name, answered_model)?;
        let is_near = |(was, is): (&f32, &f32)| {
            let (was, is) = (f64::from(*was), f64::from(*is));
            (was - is).abs() <= SCORE_TOLERANCE.0 * was.abs().max(is.abs()) + SCORE_TOLERANCE.1
        };
        if probe.len() == self.probe.0.len() && self.probe.0.iter().zip(probe).all(is_near) {
            return Ok(());
        }
        Err(self.drifted(name, "The scores of documents that are always the same are not those of the registration."))
    }

    fn check_name(&self, name: &str, answered_model: Option<&str>) -> Result<()> {
        // The name itself is not shown: it is a text of the server.
        if answered_model == self.answered_model.as_deref() {
            return Ok(());
        }
        Err(self.drifted(name, "The server names another model in its answer than at registration."))
    }

    fn drifted(&self, name: &str, detail: &str) -> Error {
        let endpoint = &self.endpoint.name;
        Error::new(Kind::NotInState, format!("endpoint \"{endpoint}\" answers with another model than \"{name}\""))
            .detail(detail.to_string())
            .hint("Have the server run the model again that was registered; or register what it runs now with socle.register_endpoint_model() under another name, and give the corpora that model with socle.alter_corpus().")
    }

    /// The scores of an answer in the scale of rerankers on this machine.
    pub fn scaled(&self, scores: Vec<f32>) -> Vec<f32> {
        if self.gives_probabilities { scores.into_iter().map(log_odds).collect() } else { scores }
    }
}

/// Whether the scores of the probe look like probabilities: a model without them gives what is no answer a negative number.
pub fn are_probabilities(scores: &[f32]) -> bool {
    scores.iter().all(|score| (0.0..=1.0).contains(score))
}

fn log_odds(probability: f32) -> f32 {
    let probability = f64::from(probability);
    (probability / (1.0 - probability)).ln().clamp(-MAX_LOG_ODDS, MAX_LOG_ODDS) as f32
}

/// The cosine of two vectors of the same length; NaN if one has no direction.
fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let product = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Dialect;

    fn served(probe: &[f32]) -> ServedModel {
        ServedModel {
            endpoint: EndpointSpec {
                name: "e".into(),
                url: "https://a.example/v1".into(),
                dialect: Dialect::Tei,
                model: "m".into(),
                key_file: None,
                ca_file: None,
                allow_loopback: false,
                allow_private: false,
                timeout_seconds: 1,
                max_response_bytes: 1,
                context_tokens: 1,
                extra_body: None,
            },
            model: "m".into(),
            answered_model: Some("m-1".into()),
            probe: Probe(probe.to_vec()),
            gives_probabilities: true,
            tokenizer: None,
            corpora: None,
        }
    }

    #[test]
    fn another_vector_length_or_name_is_another_model() {
        let model = served(&[0.6, 0.8, 0.0]);
        assert_eq!(model.check_vector("x", Some("m-1"), &[0.6001, 0.7999, 0.0001]), Ok(()));
        // Scaled, it is the same to the cosine.
        assert_eq!(model.check_vector("x", Some("m-1"), &[6.0, 8.0, 0.0]), Ok(()));
        for (name, vector) in [
            (Some("m-1"), vec![0.8, 0.6, 0.0]),
            (Some("m-1"), vec![0.0; 3]),
            (Some("m-1"), vec![f32::NAN; 3]),
            (Some("m-1"), vec![0.6, 0.8]),
            (Some("m-2"), vec![0.6, 0.8, 0.0]),
            (None, vec![0.6, 0.8, 0.0]),
        ] {
            let error = model.check_vector("x", name, &vector).unwrap_err();
            assert_eq!((error.kind, error.hint.is_some()), (Kind::NotInState, true), "{name:?} {vector:?}");
            assert!(!error.to_string().contains("m-2"), "the name is a text of the server");
        }
    }

    #[test]
    fn scores_may_differ_by_a_little() {
        let model = served(&[4.0, -8.0]);
        assert_eq!(model.check_scores("x", Some("m-1"), &[4.1, -8.2]), Ok(()));
        for scores in [vec![4.0], vec![5.0, -8.0], vec![f32::NAN, -8.0], vec![-8.0, 4.0]] {
            assert!(model.check_scores("x", Some("m-1"), &scores).is_err(), "{scores:?}");
        }
    }

    #[test]
    fn probabilities_become_log_odds_in_the_same_order() {
        assert!(are_probabilities(&[0.99, 0.001]) && !are_probabilities(&[4.0, -8.0]));
        let scaled = served(&[]).scaled(vec![0.0, 0.1, 0.5, 0.9, 1.0]);
        assert!(scaled.is_sorted() && scaled.iter().all(|score| score.is_finite()), "{scaled:?}");
        assert!(scaled[2].abs() < 1e-6 && (scaled[3] - 9.0_f32.ln()).abs() < 1e-4);
    }

    #[test]
    fn the_last_digits_of_a_probe_are_no_part_of_the_identity() {
        assert_eq!(served(&[0.6, 0.8, 0.0]).identity(), served(&[0.600_01, 0.799_99, 0.0]).identity());
        assert_ne!(served(&[0.6, 0.8, 0.0]).identity(), served(&[0.7, 0.7, 0.0]).identity());
    }
}
