//! Bytes as a version or a row: nothing panics, what decodes survives its encoding, the head alone
//! agrees with the whole, and a damaged value is an error when it is read.
#![no_main]

use bytes::Bytes;
use kvs_core::{Body, Format, Version, codec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(version) = codec::decode(&bytes) {
        read(&version);
        for format in Format::ALL {
            assert_eq!(
                codec::decode(&codec::encode(&version, format).into()).as_ref(),
                Ok(&version)
            );
        }
    }
    if let Ok((local, version)) = codec::decode_row(&bytes) {
        assert_eq!(codec::decode_row_head(&bytes), Ok((local.clone(), version.head())));
        for format in Format::ALL {
            let again = codec::encode_row(&local, &version, format);
            assert_eq!(codec::decode_row(&again.into()), Ok((local.clone(), version.clone())));
        }
    }
});

/// Reading a value gives as many bytes as it says, or an error.
fn read(version: &Version) {
    if let Body::Value(value) = &version.body
        && let Ok(bytes) = value.bytes()
    {
        assert_eq!(bytes.len(), value.len());
    }
}
