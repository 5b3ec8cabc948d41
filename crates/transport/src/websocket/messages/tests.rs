use super::*;

/// Returns what a server reads of these frames, cut into pieces of this size.
fn read(frames: &[u8], piece: usize, largest: usize) -> Vec<Result<SocketMessage, BadMessage>> {
    let mut codec = SocketCodec::of_server(largest);
    let mut came = BytesMut::new();
    let mut messages = Vec::new();
    for piece in frames.chunks(piece) {
        came.extend_from_slice(piece);
        loop {
            match codec.decode(&mut came) {
                Ok(None) => break,
                Ok(Some(message)) => messages.push(Ok(message)),
                Err(bad) => {
                    messages.push(Err(bad));
                    return messages;
                }
            }
        }
    }
    messages
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ ..126 => frame.push(0x80 | short as u8),
        long => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    let mask = [1, 2, 3, 4];
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[test]
fn fragments_are_one_message_with_a_ping_in_between_and_in_any_pieces() {
    let frames = [frame(0x01, b"one "), frame(0x89, b"p"), frame(0x00, b"mess"), frame(0x80, b"age")].concat();
    let wanted = [
        Ok(SocketMessage::Ping(Bytes::from_static(b"p"))),
        Ok(SocketMessage::Text(Bytes::from_static(b"one message"))),
    ];
    for piece in [1, 3, 1_000] {
        assert_eq!(read(&frames, piece, 11), wanted);
    }
}

#[test]
fn a_message_beyond_the_bound_ends_the_connection_in_one_frame_or_in_many() {
    let too_large = [Err(BadMessage::TooLarge(300))];
    assert_eq!(read(&frame(0x81, &[b'x'; 301]), 50, 300), too_large);
    let fragments = [frame(0x01, &[b'x'; 120]), frame(0x00, &[b'x'; 120]), frame(0x00, &[b'x'; 120])].concat();
    assert_eq!(read(&fragments, 1_000, 300), too_large);
    assert!(read(&frame(0x81, &[b'x'; 300]), 50, 300)[0].is_ok());
    // A head announces an exabyte: what has come decides.
    let mut endless = frame(0x82, &[b'x'; 400]);
    endless[2..10].copy_from_slice(&(1u64 << 60).to_be_bytes());
    assert_eq!(read(&endless, 10, 300), too_large);
}

#[test]
fn what_breaks_the_protocol_has_a_code() {
    for (frames, code) in [
        (frame(0x81, b"\xff"), 1007),
        (vec![0x81, 1, b'x'], 1002),
        (frame(0x80, b"x"), 1002),
        (frame(0xc1, b"x"), 1002),
        (frame(0x83, b"x"), 1002),
        (frame(0x88, b"\x03"), 1002),
    ] {
        let read = read(&frames, 100, 1_000);
        assert_eq!(read[0].as_ref().expect_err("bad").close_code(), code, "{frames:?}");
    }
}

#[test]
fn a_reason_is_cut_between_two_characters() {
    let close = SocketClose::new(1011, &"é".repeat(100));
    assert_eq!(close.reason.len(), 122);
}
