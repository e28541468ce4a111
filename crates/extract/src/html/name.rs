//! Element and attribute names, classified by their meaning for the text.

/// Class of an element.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tag {
    /// Inline content.
    Inline,
    /// Inline content separated from its neighbours by spaces: custom elements, form controls.
    Apart,
    /// Block content.
    Block,
    Paragraph,
    Heading(u8),
    /// A bulleted list.
    List,
    /// A numbered list.
    Numbered,
    Item,
    DefinitionList,
    Term,
    Definition,
    Quote,
    Quotation,
    Preformatted,
    Table,
    Caption,
    RowGroup,
    Row,
    Cell,
    Article,
    Main,
    Header,
    Footer,
    Aside,
    Navigation,
    /// Content that is skipped: pictures, controls, templates.
    Unread,
    Button,
    Dialog,
    /// The document, its head or its body, whose tags may be missing or misplaced.
    Frame,
    LineBreak,
    Rule,
    Image,
    Meta,
    /// Other void elements.
    Void,
}

impl Tag {
    pub(super) fn of(name: &[u8]) -> Self {
        match name {
            b"p" => Self::Paragraph,
            [b'h', level @ b'1'..=b'6'] => Self::Heading(level - b'0'),
            b"ul" | b"menu" | b"dir" => Self::List,
            b"ol" => Self::Numbered,
            b"li" => Self::Item,
            b"dl" => Self::DefinitionList,
            b"dt" => Self::Term,
            b"dd" => Self::Definition,
            b"blockquote" => Self::Quote,
            b"q" => Self::Quotation,
            b"pre" | b"listing" | b"xmp" | b"plaintext" => Self::Preformatted,
            b"table" => Self::Table,
            b"caption" => Self::Caption,
            b"tbody" | b"thead" | b"tfoot" => Self::RowGroup,
            b"tr" => Self::Row,
            b"td" | b"th" => Self::Cell,
            b"article" => Self::Article,
            b"main" => Self::Main,
            b"header" => Self::Header,
            b"footer" => Self::Footer,
            b"aside" => Self::Aside,
            b"nav" => Self::Navigation,
            b"svg" | b"select" | b"datalist" | b"audio" | b"video" | b"canvas" | b"template" | b"annotation"
            | b"annotation-xml" => Self::Unread,
            b"button" => Self::Button,
            b"dialog" => Self::Dialog,
            b"html" | b"head" | b"body" => Self::Frame,
            b"br" => Self::LineBreak,
            b"hr" => Self::Rule,
            b"img" | b"area" => Self::Image,
            b"meta" => Self::Meta,
            b"base" | b"col" | b"embed" | b"frame" | b"input" | b"link" | b"param" | b"source" | b"track" | b"wbr" => {
                Self::Void
            }
            b"address" | b"center" | b"details" | b"div" | b"fieldset" | b"figcaption" | b"figure" | b"form"
            | b"hgroup" | b"legend" | b"search" | b"section" | b"summary" => Self::Block,
            b"label" | b"option" | b"output" => Self::Apart,
            _ if name.contains(&b'-') => Self::Apart,
            _ => Self::Inline,
        }
    }

    /// Whether it interrupts a line.
    pub(super) fn is_block(self) -> bool {
        !matches!(
            self,
            Self::Inline
                | Self::Apart
                | Self::Quotation
                | Self::Unread
                | Self::Button
                | Self::LineBreak
                | Self::Image
                | Self::Meta
                | Self::Void
                | Self::Frame
        )
    }

    pub(super) fn is_void(self) -> bool {
        matches!(self, Self::LineBreak | Self::Rule | Self::Image | Self::Meta | Self::Void)
    }
}

/// How the content of an element that contains no markup is tokenized.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Raw {
    Title,
    Field,
    Script,
    Unseen,
}

impl Raw {
    pub(super) fn of(name: &[u8]) -> Option<Self> {
        match name {
            b"title" => Some(Self::Title),
            b"textarea" => Some(Self::Field),
            b"script" => Some(Self::Script),
            b"style" | b"iframe" | b"noembed" | b"noframes" | b"noscript" => Some(Self::Unseen),
            _ => None,
        }
    }
}

/// Whether an attribute is used.
pub(super) fn matters(name: &[u8]) -> bool {
    matches!(
        name,
        b"alt"
            | b"aria-hidden"
            | b"class"
            | b"colspan"
            | b"content"
            | b"hidden"
            | b"href"
            | b"http-equiv"
            | b"id"
            | b"lang"
            | b"name"
            | b"open"
            | b"property"
            | b"role"
            | b"rowspan"
            | b"src"
            | b"start"
            | b"style"
            | b"value"
            | b"xlink:href"
            | b"xml:lang"
    )
}
