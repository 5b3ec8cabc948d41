//! Arbitrary bytes and random conversations, cut at random: what is sound comes out whole, and nothing else does.

use proptest::prelude::*;

use super::*;

/// The largest message of these tests, in bytes.
const LARGEST: usize = 600;

/// What comes of these bytes, cut into pieces of these sizes: the messages, then the error that ended them.
fn outcome(codec: &mut SocketCodec, bytes: &[u8], cuts: &[usize]) -> (Vec<SocketMessage>, Option<BadMessage>) {
    let (mut came, mut messages, mut rest) = (BytesMut::new(), Vec::new(), bytes);
    let mut cuts = cuts.iter().cycle();
    while !rest.is_empty() {
        let at = cuts.next().map_or(rest.len(), |cut| (*cut).clamp(1, rest.len()));
        let (piece, behind) = rest.split_at(at);
        rest = behind;
        came.extend_from_slice(piece);
        loop {
            match codec.decode(&mut came) {
                Ok(None) => break,
                Ok(Some(message)) => messages.push(message),
                Err(bad) => return (messages, Some(bad)),
            }
        }
        assert!(codec.held() <= LARGEST, "a message without an end has a bound");
    }
    (messages, None)
}

/// A frame, sound or not.
fn frame(first: u8, mask: Option<[u8; 4]>, payload: &[u8], length: u64) -> Vec<u8> {
    let mut frame = vec![first];
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    match length {
        short @ ..126 => frame.push(mask_bit | short as u8),
        middle @ ..0x1_0000 => {
            frame.push(mask_bit | 126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(mask_bit | 127);
            frame.extend_from_slice(&long.to_be_bytes());
        }
    }
    let key = mask.unwrap_or_default();
    frame.extend(mask.into_iter().flatten());
    frame.extend(payload.iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A frame that may be anything: reserved bits, unknown kinds, lengths that are not true, up to 2^64.
fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        prop::collection::vec(any::<u8>(), 120..130),
        prop::collection::vec(any::<u8>(), 590..620),
        "[a-zé世🎉]{0,20}".prop_map(String::into_bytes),
    ];
    let length = prop_oneof![
        8 => Just(None),
        1 => prop_oneof![Just(u64::MAX), Just(1 << 63), Just((1 << 63) - 1), Just(1 << 32), 0..700_u64].prop_map(Some),
    ];
    let first = prop_oneof![4 => prop::sample::select(&[0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x88, 0x89, 0x8a][..]), 1 => any::<u8>()];
    (first, prop::option::weighted(0.9, any::<[u8; 4]>()), payload, length)
        .prop_map(|(first, mask, payload, length)| frame(first, mask, &payload, length.unwrap_or(payload.len() as u64)))
}

/// A message, with the places where its frames are cut.
fn any_message() -> impl Strategy<Value = (SocketMessage, Vec<usize>)> {
    let data = prop_oneof![
        "[ -~é世🎉]{0,150}".prop_map(|text| SocketMessage::Text(Bytes::from(text))),
        prop::collection::vec(any::<u8>(), 0..LARGEST).prop_map(|bytes| SocketMessage::Binary(bytes.into())),
    ];
    (data, prop::collection::vec(0..LARGEST, 0..4))
}

/// A control frame in between.
fn any_control() -> impl Strategy<Value = SocketMessage> {
    let bytes = prop::collection::vec(any::<u8>(), 0..=125);
    (any::<bool>(), bytes).prop_map(|(ping, bytes)| match ping {
        true => SocketMessage::Ping(bytes.into()),
        false => SocketMessage::Pong(bytes.into()),
    })
}

fn bytes_of(message: &SocketMessage) -> (u8, &[u8]) {
    match message {
        SocketMessage::Text(bytes) => (1, bytes),
        SocketMessage::Binary(bytes) => (2, bytes),
        SocketMessage::Ping(bytes) => (9, bytes),
        SocketMessage::Pong(bytes) => (10, bytes),
        SocketMessage::Close(_) => (8, &[]),
    }
}

proptest! {
    #[test]
    fn however_any_bytes_are_cut_the_same_comes_out_of_them(
        frames in prop::collection::vec(any_frame(), 0..8),
        noise in prop::collection::vec(any::<u8>(), 0..30),
        cuts in prop::collection::vec(1..40_usize, 1..5),
        is_server in any::<bool>(),
    ) {
        let bytes = [frames.concat(), noise].concat();
        let codec = || if is_server { SocketCodec::of_server(LARGEST) } else { SocketCodec::of_client(LARGEST) };
        let whole = outcome(&mut codec(), &bytes, &[]);
        prop_assert_eq!(&outcome(&mut codec(), &bytes, &cuts), &whole);
        prop_assert_eq!(&outcome(&mut codec(), &bytes, &[1]), &whole);
        for message in &whole.0 {
            let (code, bytes) = bytes_of(message);
            let most = if code < 8 { LARGEST } else { 125 };
            prop_assert!(bytes.len() <= most, "{} bytes", bytes.len());
            let is_text = std::str::from_utf8(bytes).is_ok();
            prop_assert!(code != 1 || is_text);
        }
    }

    #[test]
    fn messages_in_fragments_with_control_frames_in_between_come_out_whole(
        messages in prop::collection::vec(any_message(), 0..5),
        controls in prop::collection::vec(any_control(), 1..5),
        keys in prop::collection::vec(any::<[u8; 4]>(), 1..5),
        cuts in prop::collection::vec(1..300_usize, 1..5),
    ) {
        let (mut bytes, mut wanted) = (Vec::new(), Vec::new());
        let (mut controls, mut keys) = (controls.iter().cycle(), keys.iter().cycle());
        for (message, at) in &messages {
            let (code, data) = bytes_of(message);
            let mut at: Vec<usize> = at.iter().map(|at| (*at).min(data.len())).chain([0, data.len()]).collect();
            at.sort_unstable();
            for (nth, piece) in at.windows(2).enumerate() {
                let is_last = nth + 2 == at.len();
                let first = if is_last { 0x80 } else { 0 } | if nth == 0 { code } else { 0 };
                let piece = &data[piece[0]..piece[1]];
                bytes.extend(frame(first, keys.next().copied(), piece, piece.len() as u64));
                if !is_last {
                    let control = controls.next().expect("endless");
                    let (code, data) = bytes_of(control);
                    bytes.extend(frame(0x80 | code, keys.next().copied(), data, data.len() as u64));
                    wanted.push(control.clone());
                }
            }
            wanted.push(message.clone());
        }
        prop_assert_eq!(outcome(&mut SocketCodec::of_server(LARGEST), &bytes, &cuts), (wanted, None));
    }

    #[test]
    fn what_one_side_writes_the_other_side_reads(
        messages in prop::collection::vec(any_message().prop_map(|(message, _)| message).boxed(), 0..5),
        cuts in prop::collection::vec(1..300_usize, 1..5),
    ) {
        let (mut client, mut server) = (SocketCodec::of_client(LARGEST), SocketCodec::of_server(LARGEST));
        let mut written = BytesMut::new();
        messages.iter().for_each(|message| client.encode(message, &mut written));
        prop_assert_eq!(&outcome(&mut server, &written, &cuts), &(messages.clone(), None));
        written.clear();
        messages.iter().for_each(|message| server.encode(message, &mut written));
        prop_assert_eq!(outcome(&mut client, &written, &cuts), (messages, None));
    }
}
