//! `socle.version`, and the states of the engine, the generator and the egress process for the status views.

use crate::pg::error::report;
use crate::pg::run_as::may_act_as;
use crate::{egress_client, engine_client, generator_client, supervisor};
use pgrx::JsonB;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::json;
use socle_core::oom::{self, Files};
use socle_core::protocol::{EgressReport, EngineReport, GeneratorReport};
use socle_core::{Error, Kind, Result};

#[pg_extern(sql = false)]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// The file system of this machine.
struct FileSystem;

impl Files for FileSystem {
    fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(path).ok()
    }

    fn list(&self, directory: &str) -> Vec<String> {
        let entries = std::fs::read_dir(directory).into_iter().flatten();
        entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect()
    }
}

/// The state of the engine as one JSON object. Never starts an engine.
#[pg_extern(sql = false)]
fn engine_report() -> Result<JsonB, ErrorReport> {
    let read = || -> Result<JsonB> {
        let report = match engine_client::report() {
            Ok(report) => report,
            // The view shows why, and everything else that is known.
            Err(error) if matches!(error.kind, Kind::EngineUnavailable | Kind::OtherVersion) => {
                return Ok(JsonB(json!({"state": "unavailable", "state_reason": reason(error), "models": []})));
            }
            Err(error) => return Err(error),
        };
        let Some(report) = report else {
            let state = if supervisor::is_running() { "starting" } else { "stopped" };
            // Counts are 0, not NULL: monitoring would take NULL for a failed measurement.
            return Ok(JsonB(json!({
                "state": state,
                "state_reason": engine_client::failure(),
                "models": [],
                "memory_bytes": 0,
                "connection_count": 0,
                "interactive_queue": 0,
                "bulk_queue": 0,
                "request_count": 0,
                "batch_count": 0,
                "text_count": 0,
                "token_count": 0,
                "tokens_per_second": 0,
            })));
        };
        Ok(JsonB(running(&report)))
    };
    let with_service = |JsonB(mut state): JsonB| {
        if let Some(fields) = state.as_object_mut() {
            fields.insert("oom_policy".to_string(), oom::policy(&FileSystem).name().into());
        }
        JsonB(state)
    };
    read().map(with_service).map_err(report)
}

/// An error as the reason of a state.
fn reason(error: Error) -> String {
    [Some(error.to_string()), error.hint].into_iter().flatten().collect::<Vec<_>>().join(". ")
}

/// Fields of the report that tell what others do with the generator: when, how much, and how long it took.
const ACTIVITY: [&str; 8] = [
    "connection_count",
    "running",
    "queued",
    "request_count",
    "prompt_token_count",
    "answer_token_count",
    "tokens_per_second",
    "first_token_p50_ms",
];

/// The report without what only members of `pg_read_all_stats` may know.
fn without_activity(mut state: serde_json::Value) -> serde_json::Value {
    for field in ACTIVITY {
        state[field] = serde_json::Value::Null;
    }
    for generator in state["generators"].as_array_mut().into_iter().flatten() {
        generator["used_at"] = serde_json::Value::Null;
    }
    state
}

/// The state of the generator as one JSON object. Never starts a generator.
#[pg_extern(sql = false)]
fn generator_report() -> Result<JsonB, ErrorReport> {
    let stopped = |state: &str, reason: Option<String>| {
        // Counts are 0, not NULL, as above.
        json!({
            "state": state,
            "state_reason": reason,
            "generators": [],
            "connection_count": 0,
            "running": 0,
            "queued": 0,
            "request_count": 0,
            "prompt_token_count": 0,
            "answer_token_count": 0,
            "tokens_per_second": 0,
            "memory_bytes": 0,
        })
    };
    let state = match generator_client::report() {
        Ok(Some(report)) => writing(&report),
        Ok(None) if generator_client::is_starting() => stopped("starting", None),
        Ok(None) => {
            let failure = generator_client::failure();
            stopped(if failure.is_some() { "unavailable" } else { "stopped" }, failure)
        }
        // The view shows why, and everything else that is known.
        Err(error) if matches!(error.kind, Kind::EngineUnavailable | Kind::OtherVersion) => {
            stopped("unavailable", Some(reason(error)))
        }
        Err(error) => return Err(report(error)),
    };
    let sees_all = may_act_as(pg_sys::Oid::from(pg_sys::ROLE_PG_READ_ALL_STATS));
    Ok(JsonB(if sees_all { state } else { without_activity(state) }))
}

/// The state of a running generator.
fn writing(report: &GeneratorReport) -> serde_json::Value {
    let generators: Vec<_> = report
        .generators
        .iter()
        .map(|generator| {
            json!({
                "digest": generator.digest,
                "memory_bytes": generator.memory_bytes,
                "loaded_at": generator.loaded_at,
                "used_at": generator.used_at,
            })
        })
        .collect();
    json!({
        "state": "running",
        "pid": report.pid,
        "started_at": report.started_at,
        "restart_count": report.restart_count,
        "library_version": report.library_version,
        "thread_count": report.thread_count,
        "memory_bytes": report.memory_bytes,
        "memory_limit_bytes": report.memory_limit_bytes,
        "generators": generators,
        "connection_count": report.connection_count,
        "running": report.running,
        "queued": report.queued,
        "request_count": report.request_count,
        "prompt_token_count": report.prompt_token_count,
        "answer_token_count": report.answer_token_count,
        "tokens_per_second": report.tokens_per_second,
        "first_token_p50_ms": report.first_token_p50_ms,
        "network": report.network,
        "files": report.files,
        "version": report.version,
    })
}

/// The state of the egress process as one JSON object. Never starts one.
#[pg_extern(sql = false)]
fn endpoint_report() -> Result<JsonB, ErrorReport> {
    let stopped = |state: &str, reason: Option<String>| {
        // Counts are 0, not NULL, as above.
        json!({"state": state, "state_reason": reason, "endpoints": [], "running": 0})
    };
    let mut state = match egress_client::report() {
        Ok(Some(report)) => connecting(&report),
        Ok(None) if egress_client::is_starting() => stopped("starting", None),
        Ok(None) => {
            let failure = egress_client::failure();
            stopped(if failure.is_some() { "unavailable" } else { "stopped" }, failure)
        }
        // The view shows why, and everything else that is known.
        Err(error) if matches!(error.kind, Kind::EngineUnavailable | Kind::OtherVersion) => {
            stopped("unavailable", Some(reason(error)))
        }
        Err(error) => return Err(report(error)),
    };
    // What is used, and how much, in all databases, is not for everybody.
    if !may_act_as(pg_sys::Oid::from(pg_sys::ROLE_PG_READ_ALL_STATS)) {
        (state["endpoints"], state["running"]) = Default::default();
    }
    Ok(JsonB(state))
}

/// The state of a running egress process.
fn connecting(report: &EgressReport) -> serde_json::Value {
    let endpoints: Vec<_> = report
        .endpoints
        .iter()
        .map(|endpoint| {
            json!({
                "name": endpoint.name,
                "request_count": endpoint.request_count,
                "failure_count": endpoint.failure_count,
                "refusal_count": endpoint.refusal_count,
                "sent_bytes": endpoint.sent_bytes,
                "received_bytes": endpoint.received_bytes,
                "used_at": endpoint.used_at,
            })
        })
        .collect();
    json!({
        "state": "running",
        "pid": report.pid,
        "started_at": report.started_at,
        "restart_count": report.restart_count,
        "running": report.running,
        "endpoints": endpoints,
        "network": report.network,
        "files": report.files,
        "version": report.version,
    })
}

/// The state of a running engine.
fn running(report: &EngineReport) -> serde_json::Value {
    let models: Vec<_> = report
        .models
        .iter()
        .map(|model| {
            json!({
                "digest": model.digest,
                "memory_bytes": model.memory_bytes,
                "loaded_at": model.loaded_at,
                "used_at": model.used_at,
                "text_count": model.text_count,
            })
        })
        .collect();
    json!({
        "state": "running",
        "pid": report.pid,
        "started_at": report.started_at,
        "restart_count": report.restart_count,
        "onnxruntime_version": report.onnxruntime_version,
        "thread_count": report.thread_count,
        "memory_bytes": report.memory_bytes,
        "memory_limit_bytes": report.memory_limit_bytes,
        "models": models,
        "connection_count": report.connection_count,
        "interactive_queue": report.interactive_queue,
        "bulk_queue": report.bulk_queue,
        "request_count": report.request_count,
        "batch_count": report.batch_count,
        "text_count": report.text_count,
        "token_count": report.token_count,
        "tokens_per_second": report.tokens_per_second,
        "latency_p50_ms": report.latency_p50_ms,
        "latency_p95_ms": report.latency_p95_ms,
        "network": report.network,
        "files": report.files,
        "version": report.version,
    })
}
