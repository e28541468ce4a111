//! Templates for the context that precedes a chunk when it is embedded: title, headings, columns of the source.

use crate::{Error, Kind, Result};

/// Separator of the headings of a path.
const HEADING_SEPARATOR: &str = " › ";

/// A template such as `{title}\n{heading}\n{content}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    pieces: Vec<Piece>,
    /// Name of the column that is the title, whether or not there is one.
    title: String,
}

/// What the context of a chunk consists of, as the keyword index has it: a field each, the rest with the content.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ContextFields {
    /// The value of the title column.
    pub title: String,
    /// The headings, each on a line of its own.
    pub headings: String,
    /// All else: words of the template and values of other columns.
    pub rest: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    Literal(String),
    Heading,
    Column(String),
}

impl Template {
    /// Parses a template: `{heading}` is the heading path of the chunk, `{title}` the title column if there is one, any
    /// other `{name}` a column of the source; `{{` and `}}` are literal braces. It must end with `{content}`, the
    /// chunk.
    ///
    /// # Errors
    /// [`Kind::InvalidArgument`] for unbalanced braces, and unless `{content}` occurs once, at the end.
    pub fn parse(text: &str, title: Option<&str>) -> Result<Self> {
        let invalid = |message: &str| {
            Error::new(Kind::InvalidArgument, message)
                .hint("A template looks like \"{title}: {heading}: {content}\"; {{ and }} stand for braces.")
        };
        let title = title.unwrap_or("title").to_string();
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            literal.push_str(&rest[..at]);
            let tail = &rest[at..];
            if let Some(after) = tail.strip_prefix("{{").or_else(|| tail.strip_prefix("}}")) {
                literal.push_str(&tail[..1]);
                rest = after;
                continue;
            }
            let (name, after) = tail
                .strip_prefix('{')
                .and_then(|tail| tail.split_once('}'))
                .filter(|(name, _)| !name.is_empty() && !name.contains('{'))
                .ok_or_else(|| invalid("template has a brace without its counterpart"))?;
            if !literal.is_empty() {
                pieces.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            match name {
                "content" if after.is_empty() => return Ok(Self { pieces, title }),
                "content" => return Err(invalid("template must end with {content}")),
                "heading" => pieces.push(Piece::Heading),
                "title" => pieces.push(Piece::Column(title.clone())),
                column => pieces.push(Piece::Column(column.to_string())),
            }
            rest = after;
        }
        Err(invalid("template must end with {content}"))
    }

    /// The default template: title and headings, each on a line of its own.
    pub fn default_for(title: Option<&str>) -> &'static str {
        if title.is_some() { "{title}\n{heading}\n{content}" } else { "{heading}\n{content}" }
    }

    /// The columns of the source that it refers to, without duplicates.
    pub fn columns(&self) -> Vec<&str> {
        let mut columns: Vec<&str> = Vec::new();
        for piece in &self.pieces {
            if let Piece::Column(name) = piece
                && !columns.contains(&name.as_str())
            {
                columns.push(name);
            }
        }
        columns
    }

    /// The context of a chunk under `headings`. `value` returns the value of a column; NULL is empty. Blank lines are
    /// removed.
    pub fn head<'a>(&self, headings: &[String], value: impl Fn(&str) -> Option<&'a str>) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Heading => text.push_str(&headings.join(HEADING_SEPARATOR)),
                Piece::Column(name) => text.push_str(value(name).unwrap_or_default().trim()),
            }
        }
        without_blank_lines(&text)
    }

    /// The same context by fields of the keyword index. A field that the template does not name is empty.
    pub fn fields<'a>(&self, headings: &[String], value: impl Fn(&str) -> Option<&'a str>) -> ContextFields {
        let mut fields = ContextFields::default();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => fields.rest.push_str(literal),
                Piece::Heading => fields.headings = headings.join("\n"),
                Piece::Column(name) => {
                    let value = value(name).unwrap_or_default().trim();
                    if *name == self.title {
                        fields.title = value.to_string();
                    } else {
                        fields.rest.push_str(value);
                    }
                }
            }
        }
        fields.rest = without_blank_lines(&fields.rest);
        fields
    }
}

impl ContextFields {
    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.title.len() + self.headings.len() + self.rest.len()
    }

    /// Whether it has no text.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn without_blank_lines(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| !line.trim().is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(template: &str, headings: &[&str], title: &str) -> String {
        let headings: Vec<String> = headings.iter().map(ToString::to_string).collect();
        Template::parse(template, Some("name")).unwrap().head(&headings, |column| (column == "name").then_some(title))
    }

    #[test]
    fn title_and_headings_stand_on_lines_of_their_own_if_there_are_any() {
        let default = Template::default_for(Some("name"));
        assert_eq!(head(default, &["Guide", "Install"], "Handbook"), "Handbook\nGuide › Install\n");
        assert_eq!(head(default, &[], "Handbook"), "Handbook\n");
        assert_eq!(head(default, &["Guide"], ""), "Guide\n");
        assert_eq!(head(default, &[], " "), "");
        assert_eq!(head("{content}", &["Guide"], "Handbook"), "");
    }

    #[test]
    fn words_and_braces_are_kept() {
        assert_eq!(head("{{{title}}} / {heading}: {content}", &["A"], "T"), "{T} / A: ");
    }

    #[test]
    fn each_part_of_the_context_is_in_one_field() {
        let fields = |template: &str| {
            let value = |column: &str| match column {
                "name" => Some(" Handbook "),
                "author" => Some("Ann"),
                _ => None,
            };
            let headings = ["Guide".to_string(), "Install".to_string()];
            let found = Template::parse(template, Some("name")).unwrap().fields(&headings, value);
            (found.title, found.headings, found.rest)
        };
        let all = |title: &str, headings: &str, rest: &str| (title.into(), headings.into(), rest.into());
        assert_eq!(fields(Template::default_for(Some("name"))), all("Handbook", "Guide\nInstall", ""));
        assert_eq!(fields("{name} by {author}\n{content}"), all("Handbook", "", " by Ann\n"));
        assert_eq!(fields("{content}"), all("", "", ""));
        assert_eq!(fields("{missing}{heading}: {content}"), all("", "Guide\nInstall", ": "));
    }

    #[test]
    fn columns_are_named_once() {
        let template = Template::parse("{title} {author} {title} {heading} {content}", Some("name")).unwrap();
        assert_eq!(template.columns(), ["name", "author"]);
        assert_eq!(Template::parse("{title}{content}", None).unwrap().columns(), ["title"]);
    }

    #[test]
    fn what_is_no_template_is_refused() {
        for text in [
            "",
            "{title}",
            "{content} after",
            "{content}{content}",
            "{title",
            "title} {content}",
            "{} {content}",
            "{a{b}} {content}",
        ] {
            assert_eq!(Template::parse(text, None).unwrap_err().kind, Kind::InvalidArgument, "{text}");
        }
    }
}
