//! What stands around the text of a page: navigation, banners, footers, and what nobody sees.

use super::name::Tag;
use super::token::Attributes;
use std::borrow::Cow;

/// Roles of regions that are not the text.
const ROLES: &[&str] =
    &["alertdialog", "banner", "complementary", "contentinfo", "menu", "menubar", "navigation", "search", "toolbar"];

/// Names that pages give to such regions where they have no element for it.
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

/// Names of tools that ask for consent.
const CONSENT: &[&str] = &["onetrust", "cookiebot", "cookiebar", "usercentrics", "didomi", "gdpr", "consent-banner"];

/// The value of an attribute.
pub(super) fn value<'a>(attributes: &'a Attributes, name: &str) -> Option<Cow<'a, str>> {
    let found = attributes.iter().find(|(other, _)| other == name.as_bytes());
    found.map(|(_, value)| String::from_utf8_lossy(value))
}

/// Whether nobody sees the element.
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

/// Whether the element is not part of the text. `in_text`: it lies in an article or the main part.
pub(super) fn is_furniture(tag: Tag, attributes: &Attributes, in_text: bool) -> bool {
    match tag {
        Tag::Navigation => return true,
        Tag::Header | Tag::Footer | Tag::Aside if !in_text => return true,
        // What flows in a line is part of its text, except for links that edit or skip.
        _ if attributes.is_empty() => return false,
        Tag::Main | Tag::Article | Tag::Table | Tag::Heading(_) => return false,
        _ => {}
    }
    let role = value(attributes, "role").unwrap_or_default().to_ascii_lowercase();
    let names = [value(attributes, "id"), value(attributes, "class")];
    ROLES.contains(&role.trim())
        // As a class, the word means a box in the text as well.
        || value(attributes, "id").is_some_and(|id| id.eq_ignore_ascii_case("sidebar"))
        || names.iter().flatten().any(|names| {
            let names = names.to_ascii_lowercase();
            names.split_ascii_whitespace().any(|name| is_named_furniture(name, in_text))
        })
}

fn is_named_furniture(name: &str, in_text: bool) -> bool {
    let asks = CONSENT.iter().any(|tool| name.contains(tool))
        || (name.contains("cookie")
            && ["banner", "consent", "notice", "bar", "popup", "modal", "overlay", "message"]
                .iter()
                .any(|kind| name.contains(kind)));
    // Inside of an article such a name may mean a part of it: the footer of a letter, a box at its side.
    let part = in_text && matches!(name, "footer" | "pagination");
    asks || (!part && NAMES.contains(&name))
}
