//! Recognises boilerplate, such as navigation, banners and footers, and hidden elements.

use super::name::Tag;
use super::token::Attributes;
use std::borrow::Cow;

/// ARIA roles of boilerplate regions.
const ROLES: &[&str] =
    &["alertdialog", "banner", "complementary", "contentinfo", "menu", "menubar", "navigation", "search", "toolbar"];

/// Classes and identifiers that pages commonly give to boilerplate.
const NAMES: &[&str] = &[
    "breadcrumb",
    "breadcrumbs",
    "footer",
    "footer-nav",
    "global-nav",
    "globalnav",
    "hash-link",
    "header-anchor",
    "headerlink",
    "jump-to-nav",
    "main-menu",
    "main-nav",
    "mw-editsection",
    "mw-jump-link",
    "mw-navigation",
    "mw-portlet",
    "nav",
    "nav-bar",
    "navbar",
    "navbox",
    "navigation",
    "no-print",
    "noprint",
    "page-footer",
    "pagination",
    "share-buttons",
    "site-footer",
    "site-header",
    "site-nav",
    "sitenav",
    "skip-link",
    "skip-to-content",
    "skiplink",
    "social-share",
    "top-nav",
    "topnav",
];

/// Names of consent managers.
const CONSENT: &[&str] = &["onetrust", "cookiebot", "cookiebar", "usercentrics", "didomi", "gdpr", "consent-banner"];

/// The value of an attribute; `None` if the element does not have it.
pub(super) fn value<'a>(attributes: &'a Attributes, name: &str) -> Option<Cow<'a, str>> {
    let found = attributes.iter().find(|(other, _)| other == name.as_bytes());
    found.map(|(_, value)| String::from_utf8_lossy(value))
}

/// Whether the element is not rendered.
pub(super) fn is_hidden(tag: Tag, attributes: &Attributes) -> bool {
    if attributes.is_empty() {
        return tag == Tag::Dialog;
    }
    let style = value(attributes, "style").unwrap_or_default().to_ascii_lowercase();
    let style: String = style.chars().filter(|c| !c.is_whitespace()).collect();
    value(attributes, "hidden").is_some_and(|how| !how.eq_ignore_ascii_case("until-found"))
        || value(attributes, "aria-hidden").is_some_and(|how| how.eq_ignore_ascii_case("true"))
        || style.split(';').any(|rule| rule.starts_with("display:none") || rule.starts_with("visibility:hidden"))
        || (tag == Tag::Dialog && value(attributes, "open").is_none())
}

/// Whether the alternative text of a picture is the name of its file, which many programs write where the author said nothing.
pub(super) fn is_file_name(alt: &str, attributes: &Attributes) -> bool {
    const ENDINGS: [&str; 14] =
        ["png", "jpg", "jpeg", "gif", "svg", "webp", "bmp", "tif", "tiff", "jp2", "avif", "heic", "emf", "wmf"];
    let last = |path: &str| path.trim().rsplit(['/', '\\']).next().unwrap_or_default().to_ascii_lowercase();
    let alt = last(alt);
    let is_picture = alt.rsplit_once('.').is_some_and(|(_, ending)| ENDINGS.contains(&ending));
    let source = last(&value(attributes, "src").unwrap_or_default());
    is_picture || source.rsplit_once('.').is_some_and(|(stem, _)| !stem.is_empty() && stem == alt)
}

/// Whether the element is boilerplate. `in_text`: it is inside an article or the main part.
pub(super) fn is_boilerplate(tag: Tag, attributes: &Attributes, in_text: bool) -> bool {
    match tag {
        Tag::Navigation => return true,
        Tag::Header | Tag::Footer | Tag::Aside if !in_text => return true,
        // Inline elements belong to their text, except for edit and skip links.
        _ if attributes.is_empty() => return false,
        Tag::Main | Tag::Article | Tag::Table | Tag::Heading(_) => return false,
        _ => {}
    }
    let role = value(attributes, "role").unwrap_or_default().to_ascii_lowercase();
    let names = [value(attributes, "id"), value(attributes, "class")];
    ROLES.contains(&role.trim())
        // As a class name, the word may also mean a box in the text.
        || value(attributes, "id").is_some_and(|id| id.eq_ignore_ascii_case("sidebar"))
        || names.iter().flatten().any(|names| {
            let names = names.to_ascii_lowercase();
            names.split_ascii_whitespace().any(|name| is_named_boilerplate(name, in_text))
        })
}

fn is_named_boilerplate(name: &str, in_text: bool) -> bool {
    let asks = CONSENT.iter().any(|tool| name.contains(tool))
        || (name.contains("cookie")
            && ["banner", "consent", "notice", "bar", "popup", "modal", "overlay", "message"]
                .iter()
                .any(|kind| name.contains(kind)));
    // Inside an article, such a name may mean a part of it: the footer of a letter, a sidebar.
    let part = in_text && matches!(name, "footer" | "pagination");
    asks || (!part && NAMES.contains(&name))
}
