use super::*;
#[test]
fn smoke() {
    let mut out = vec![];
    chunk(
        "# A\n\nfoo bar baz.\n\n## B\n\nother text",
        &ChunkRule::new(20, 0, Format::Markdown).unwrap(),
        &Characters,
        &mut |c| {
            out.push(c);
            Ok(())
        },
    )
    .unwrap();
    eprintln!("{out:#?}");
    out.clear();
    chunk(
        "<h1>A &amp; B</h1><p>foo bar\n <b>baz</b>.<p>\n\nother &eacute;text<table><tr><td>1<td>2</table>",
        &ChunkRule::new(20, 0, Format::Html).unwrap(),
        &Characters,
        &mut |c| {
            out.push(c);
            Ok(())
        },
    )
    .unwrap();
    eprintln!("{out:#?}");
}
