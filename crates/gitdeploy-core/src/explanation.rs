//! Why a request was answered as it was, as the proxy tells it to the owner: a header, which is a dictionary of
//! structured fields (RFC 9651 §3.2).

use serde::Serialize;
use sfv::{
    BareItem, Date, Decimal, DictSerializer, Dictionary, Integer, ListEntry, Parser, RefBareItem, StringRef,
    TokenRef, key_ref,
};

/// The header of an answer that holds an explanation.
pub const HEADER: &str = "gitdeploy-explanation";

/// Why a request was answered as it was. What does not apply is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Explanation {
    /// What the host is looked up by: a label, or a host of its owner's.
    pub site: Option<String>,
    /// How it was found out what it leads to: `deployment`, `route`, `manifest` or `prefix`.
    pub found_by: Option<String>,
    /// The project of the route.
    pub project: Option<String>,
    /// When the route was moved, in seconds since 1970.
    pub moved: Option<i64>,
    /// The deployment.
    pub deployment: Option<String>,
    /// What decided, such as `file` or `redirect`.
    pub decision: Option<String>,
    /// The line of the rule that decided.
    pub redirect_line: Option<u32>,
    /// That rule.
    pub redirect: Option<String>,
    /// The lines of `_headers` that applied.
    pub headers_lines: Vec<u32>,
    /// The file that was sent, or would have been.
    pub file: Option<String>,
    /// The deployment of the file, where that is an earlier one.
    pub file_deployment: Option<String>,
    /// How the file was compressed.
    pub encoding: Option<String>,
    /// Where it was known from what the host leads to: `memory`, `stale` or `store`.
    pub site_source: Option<String>,
    /// Where it was known from which files the deployment has.
    pub manifest_source: Option<String>,
    /// Where the body came from.
    pub source: Option<String>,
    /// How long the store was waited for, for the body, in milliseconds.
    pub store_ms: Option<f64>,
    /// What is said to others about keeping the answer.
    pub cache_control: Option<String>,
    /// What failed.
    pub fault: Option<String>,
}

/// Why a text is no explanation.
#[derive(Debug, thiserror::Error)]
#[error("it is no dictionary of structured fields: {0}")]
pub struct ExplanationError(sfv::Error);

impl Explanation {
    /// The value of the header.
    pub fn to_header(&self) -> String {
        let mut members = Members(DictSerializer::new());
        members.text("site", self.site.as_deref());
        members.token("found-by", self.found_by.as_deref());
        members.text("project", self.project.as_deref());
        members.add(
            "moved",
            self.moved.and_then(|moved| Integer::try_from(moved).ok()).map(Date::from_unix_seconds),
        );
        members.text("deployment", self.deployment.as_deref());
        members.token("decision", self.decision.as_deref());
        members.add("redirect-line", self.redirect_line.map(Integer::from));
        members.text("redirect", self.redirect.as_deref());
        members.numbers("headers-lines", &self.headers_lines);
        members.text("file", self.file.as_deref());
        members.text("file-deployment", self.file_deployment.as_deref());
        members.token("encoding", self.encoding.as_deref());
        members.token("site-source", self.site_source.as_deref());
        members.token("manifest-source", self.manifest_source.as_deref());
        members.token("source", self.source.as_deref());
        members.add("store-ms", self.store_ms.and_then(|time| Decimal::try_from(time).ok()));
        members.text("cache-control", self.cache_control.as_deref());
        members.text("fault", self.fault.as_deref());
        members.0.finish().unwrap_or_default()
    }

    /// Reads the value of the header. What is not known, or of another type, is passed over: a later proxy may tell
    /// more.
    pub fn read(header: &[u8]) -> Result<Self, ExplanationError> {
        let members: Dictionary = Parser::new(header).parse().map_err(ExplanationError)?;
        let item = |key: &str| match members.get(key) {
            Some(ListEntry::Item(item)) => Some(&item.bare_item),
            _ => None,
        };
        let text = |key: &str| item(key).and_then(text);
        let number = |key: &str| item(key).and_then(BareItem::as_integer).and_then(line);
        let numbers = match members.get("headers-lines") {
            Some(ListEntry::InnerList(list)) => &list.items[..],
            _ => &[],
        };
        let numbers = numbers.iter().filter_map(|item| line(item.bare_item.as_integer()?));
        Ok(Self {
            site: text("site"),
            found_by: text("found-by"),
            project: text("project"),
            moved: item("moved").and_then(BareItem::as_date).map(|date| date.unix_seconds().into()),
            deployment: text("deployment"),
            decision: text("decision"),
            redirect_line: number("redirect-line"),
            redirect: text("redirect"),
            headers_lines: numbers.collect(),
            file: text("file"),
            file_deployment: text("file-deployment"),
            encoding: text("encoding"),
            site_source: text("site-source"),
            manifest_source: text("manifest-source"),
            source: text("source"),
            store_ms: item("store-ms").and_then(BareItem::as_decimal).map(Into::into),
            cache_control: text("cache-control"),
            fault: text("fault"),
        })
    }
}

/// The members of the dictionary; those without a value are left out.
struct Members(DictSerializer<String>);

impl Members {
    fn add<'a>(&mut self, key: &'static str, value: Option<impl Into<RefBareItem<'a>>>) {
        if let Some(value) = value {
            self.0.bare_item(key_ref(key), value);
        }
    }

    fn text(&mut self, key: &'static str, value: Option<&str>) {
        let item = |text| match StringRef::from_str(text) {
            Ok(text) => RefBareItem::String(text),
            // What is not ASCII is a display string (RFC 9651 §3.3.8).
            Err(_) => RefBareItem::DisplayString(text),
        };
        self.add(key, value.map(item));
    }

    fn token(&mut self, key: &'static str, value: Option<&str>) {
        self.add(key, value.and_then(|value| TokenRef::from_str(value).ok()));
    }

    fn numbers(&mut self, key: &'static str, values: &[u32]) {
        if values.is_empty() {
            return;
        }
        let mut list = self.0.inner_list(key_ref(key));
        for value in values {
            list.bare_item(*value);
        }
    }
}

fn text(item: &BareItem) -> Option<String> {
    match item {
        BareItem::String(text) => Some(text.as_str().to_owned()),
        BareItem::Token(token) => Some(token.as_str().to_owned()),
        BareItem::DisplayString(text) => Some(text.clone()),
        _ => None,
    }
}

fn line(number: Integer) -> Option<u32> {
    u32::try_from(i64::from(number)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::option;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_is_a_dictionary_of_structured_fields() {
        let explanation = Explanation {
            site: Some("blog".to_owned()),
            found_by: Some("route".to_owned()),
            moved: Some(1_795_219_200),
            decision: Some("rewrite".to_owned()),
            redirect_line: Some(3),
            redirect: Some("/a/* /b/:splat 200".to_owned()),
            headers_lines: vec![1, 7],
            file: Some("grüße \"1\".html".to_owned()),
            source: Some("memory".to_owned()),
            store_ms: Some(1.25),
            ..Explanation::default()
        };
        let header = explanation.to_header();
        assert_eq!(
            header,
            r#"site="blog", found-by=route, moved=@1795219200, decision=rewrite, redirect-line=3, "#
                .to_owned()
                + r#"redirect="/a/* /b/:splat 200", headers-lines=(1 7), "#
                + r#"file=%"gr%c3%bc%c3%9fe %221%22.html", source=memory, store-ms=1.25"#
        );
        assert_eq!(Explanation::read(header.as_bytes()).unwrap(), explanation);
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let read = |header: &str| Explanation::read(header.as_bytes());
        let later =
            read(r#"site=blog;since=1, weather="fine", redirect-line=(1 2), headers-lines=3, decision=x"#);
        let expected = Explanation {
            site: Some("blog".to_owned()),
            decision: Some("x".to_owned()),
            ..Explanation::default()
        };
        assert_eq!(later.unwrap(), expected);
        assert_eq!(read("").unwrap(), Explanation::default());
        for header in ["site=\"", "=", "Site=1", "site=blog,"] {
            assert!(read(header).is_err(), "{header}");
        }
    }

    proptest! {
        #[test]
        fn any_text_comes_back_and_is_a_header(
            file in option::of("\\PC*"),
            fault in option::of(any::<String>()),
            redirect_line in option::of(any::<u32>()),
            headers_lines in prop::collection::vec(any::<u32>(), 0..5),
        ) {
            let explanation = Explanation { redirect_line, headers_lines, file, fault, ..Explanation::default() };
            let header = explanation.to_header();
            prop_assert!(header.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{}", header);
            prop_assert_eq!(Explanation::read(header.as_bytes()).unwrap(), explanation);
        }

        #[test]
        fn any_header_can_be_read(header in prop::collection::vec(any::<u8>(), 0..200)) {
            Explanation::read(&header).ok();
        }
    }
}
