//! Whether somebody who is trusted has to vouch for models.

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting};

static REQUIRE_SIGNED_MODELS: GucSetting<bool> = GucSetting::<bool>::new(false);

/// Defines the setting.
pub fn define() {
    GucRegistry::define_bool_guc(
        c"socle.require_signed_models",
        c"Sets whether models and generators that no trusted key has signed are refused.",
        c"At registration, at import, and at each use. Only superusers may change it, also for one database.",
        &REQUIRE_SIGNED_MODELS,
        GucContext::Suset,
        GucFlags::default(),
    );
}

/// `socle.require_signed_models`.
pub fn require_signed_models() -> bool {
    REQUIRE_SIGNED_MODELS.get()
}
