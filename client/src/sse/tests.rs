use super::{Event, MAX_DATA, MAX_LINE, Parser, SseError};

fn event(name: &str, data: &str) -> Event {
    Event { name: name.to_owned(), data: data.to_owned() }
}

fn parse(text: &[u8]) -> Vec<Event> {
    let mut parser = Parser::default();
    parser.push(text);
    drain(&mut parser)
}

fn drain(parser: &mut Parser) -> Vec<Event> {
    std::iter::from_fn(|| parser.pop().expect("within the limits")).collect()
}

#[test]
fn an_event_has_the_name_and_data_of_its_fields() {
    assert_eq!(parse(b"event: put\nid: 7\ndata: {\"a\":1}\n\n"), [event("put", "{\"a\":1}")]);
}

#[test]
fn an_event_without_a_name_is_a_message() {
    assert_eq!(parse(b"data:x\n\n"), [event("message", "x")]);
}

#[test]
fn lines_of_data_are_joined_by_line_feeds() {
    assert_eq!(parse(b"data: a\ndata\ndata: b\n\n"), [event("message", "a\n\nb")]);
}

#[test]
fn only_one_space_behind_the_colon_is_dropped() {
    assert_eq!(parse(b"data:  a: b\n\n"), [event("message", " a: b")]);
}

#[test]
fn comments_retries_and_unknown_fields_are_ignored() {
    let text = b": heartbeat\n\nretry: 10\nwhat: ever\ndata: a\n\n";
    assert_eq!(parse(text), [event("message", "a")]);
}

#[test]
fn a_block_without_data_is_no_event_and_its_name_does_not_stay() {
    assert_eq!(parse(b"event: put\n\ndata: a\n\n"), [event("message", "a")]);
}

#[test]
fn an_event_that_has_not_ended_is_not_told() {
    assert_eq!(parse(b"data: a\n"), []);
}

#[test]
fn a_byte_order_mark_is_skipped_at_the_start_alone() {
    assert_eq!(parse("\u{feff}data: a\n\n\u{feff}data: b\n\n".as_bytes()), [event("message", "a")]);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced() {
    assert_eq!(parse(b"data: \xff\n\n"), [event("message", "\u{fffd}")]);
}

#[test]
fn wherever_the_bytes_are_cut_and_however_lines_end_the_events_are_the_same() {
    let text = "event: put\nid: 1\ndata: é\ndata: b\n\n: beat\n\ndata: c\n\n";
    let expected = [event("put", "é\nb"), event("message", "c")];
    for ending in ["\n", "\r", "\r\n"] {
        let text = text.replace('\n', ending);
        for size in 1..=text.len() {
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for chunk in text.as_bytes().chunks(size) {
                parser.push(chunk);
                events.extend(drain(&mut parser));
            }
            assert_eq!(events, expected, "line end {ending:?}, chunks of {size}");
        }
    }
}

#[test]
fn an_id_is_known_once_its_block_has_ended() {
    let mut parser = Parser::default();
    parser.push(b"id: 7\n");
    assert_eq!(parser.pop(), Ok(None));
    assert_eq!(parser.take_id(), None);
    parser.push(b"\n");
    assert_eq!(parser.pop(), Ok(None));
    assert_eq!(parser.take_id().as_deref(), Some("7"));
    assert_eq!(parser.take_id(), None);
}

#[test]
fn an_id_with_nul_is_ignored_and_an_empty_one_takes_the_last_back() {
    let mut parser = Parser::default();
    parser.push(b"id: 7\n\nid: \0\n\n");
    assert_eq!(parser.pop(), Ok(None));
    parser.push(b"id\n\n");
    assert_eq!(parser.take_id().as_deref(), Some("7"));
    assert_eq!(parser.pop(), Ok(None));
    assert_eq!(parser.take_id(), None);
}

#[test]
fn a_line_at_the_limit_passes_and_one_over_does_not() {
    for (length, expected) in [(MAX_LINE, Ok(None)), (MAX_LINE + 1, Err(SseError::LineTooLong))] {
        let mut open = Parser::default();
        open.push(&vec![b':'; length]);
        assert_eq!(open.pop(), expected, "{length} bytes without an end");
        let mut ended = Parser::default();
        ended.push(&[vec![b':'; length], vec![b'\n']].concat());
        assert_eq!(ended.pop(), expected, "{length} bytes with an end");
    }
}

#[test]
fn data_at_the_limit_passes_and_one_line_over_does_not() {
    let line = format!("data: {}\n", "x".repeat(1023)).repeat(MAX_DATA / 1024);
    let mut parser = Parser::default();
    parser.push(line.as_bytes());
    assert_eq!(parser.pop(), Ok(None));
    parser.push(b"data:\n");
    assert_eq!(parser.pop(), Err(SseError::EventTooLong));
}
