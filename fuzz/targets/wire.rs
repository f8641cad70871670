//! Bytes as messages between nodes: nothing panics, what decodes survives its encoding, and no parcel
//! unpacks to more than it may.
#![no_main]

use kvs_core::wire::{Answer, Cursor, Frame, MAX_PARCEL, Parcel, Question, Route, Sent};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for route in Route::ALL {
        if let Ok(question) = Question::decode(route, data) {
            assert_eq!(question.route(), route);
            assert_eq!(Question::decode(route, &question.encode()).as_ref(), Ok(&question));
            if let Question::Push(_, _, parcel) = &question {
                unpack(parcel);
            }
        }
    }
    if let Ok(answer) = Answer::decode(data) {
        assert_eq!(Answer::decode(&answer.encode()).as_ref(), Ok(&answer));
        if let Answer::Fetched(_, parcel, _) | Answer::Range(_, parcel, _) = &answer {
            unpack(parcel);
        }
    }
    if let Ok(frame) = Frame::decode(data) {
        assert_eq!(Frame::decode(&frame.encode()).as_ref(), Ok(&frame));
        unpack(&frame.versions);
    }
    if let Ok(cursor) = Cursor::decode(data) {
        assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
    }
});

fn unpack(parcel: &Parcel) {
    let Ok(sent) = parcel.unpack() else { return };
    assert!(
        sent.iter().map(|one| one.record.len() + one.version.len()).sum::<usize>() <= MAX_PARCEL
    );
    for one in &sent {
        drop(Sent::open(one));
    }
    assert_eq!(Parcel::pack(&sent).unpack(), Ok(sent));
}
