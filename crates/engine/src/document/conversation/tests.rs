//! Conversations with readers that do well, too much, or end halfway.

use super::*;
use crate::request::Job;
use socle_core::{Error, Kind};
use socle_ocr::remote::Remote;
use socle_ocr::{Channels, Recognizer};

const LIMITS: ExtractLimits =
    ExtractLimits { seconds: 60, memory_bytes: 1 << 30, text_bytes: 1 << 20, recognition_seconds: 0 };

/// What a picture takes.
const TIME: Duration = Duration::from_millis(700);

/// What the fork server writes after the end of a reader that exits with 0.
const EXITED: [u8; EXIT_BYTES] = [0; EXIT_BYTES];

/// Keeps pictures, and answers the first that came last.
#[derive(Default)]
struct Backwards(Mutex<Vec<(Picture, PictureRoom, Done)>>);

impl Backwards {
    fn wait_for(&self, count: usize) -> Vec<(Picture, PictureRoom, Done)> {
        loop {
            let mut kept = self.0.lock().unwrap();
            if kept.len() >= count {
                return std::mem::take(&mut kept);
            }
            drop(kept);
            std::thread::yield_now();
        }
    }
}

impl Pictures for Backwards {
    fn begin(&self, picture: Picture, room: PictureRoom, done: Done) {
        self.0.lock().unwrap().push((picture, room, done));
    }
}

fn picture(width: u32) -> Picture {
    let pixels = vec![width as u8; width as usize * 300];
    Picture { width, height: 300, channels: Channels::Grey, pixels, dpi: Some(300.0) }
}

fn request() -> Request {
    Request::new(
        1,
        1,
        false,
        0,
        Job::Inspect { name: String::new(), directory: String::new(), overrides: Default::default() },
    )
}

/// What a conversation ends with, beside a reader that does this.
fn hold(
    request: &Request,
    pictures: Option<&dyn Pictures>,
    memory: &PictureMemory,
    reader: impl FnOnce(UnixStream) + Send,
) -> Result<Vec<u8>> {
    hold_within(LIMITS, request, pictures, memory, reader)
}

fn hold_within(
    limits: ExtractLimits,
    request: &Request,
    pictures: Option<&dyn Pictures>,
    memory: &PictureMemory,
    reader: impl FnOnce(UnixStream) + Send,
) -> Result<Vec<u8>> {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || reader(theirs));
        let conversation = Conversation::new(request, limits, pictures, memory).unwrap();
        let result = conversation.hold(&mut ours, 1 << 20);
        drop(ours);
        result
    })
}

#[test]
fn results_go_back_in_the_order_of_pictures_and_memory_is_given_back() {
    let (pictures, memory) = (Backwards::default(), PictureMemory::default());
    let request = request();
    let answer = std::thread::scope(|scope| {
        scope.spawn(|| {
            for (picture, room, done) in pictures.wait_for(AHEAD).into_iter().rev() {
                drop(room);
                match picture.width {
                    1 => done(Err(Error::new(Kind::InferenceFailed, "x")), TIME),
                    width => done(Ok(Recognized { skew_degrees: width as f32, ..Recognized::default() }), TIME),
                }
            }
        });
        hold(&request, Some(&pictures), &memory, |mut stream| {
            let mut remote = Remote::new(&mut stream);
            (0..AHEAD as u32).for_each(|at| remote.begin(picture(1 + 900 * at)).unwrap());
            assert_eq!(remote.finish().unwrap_err().kind, Kind::InferenceFailed);
            (1..AHEAD as u32).for_each(|at| {
                assert_eq!(remote.finish().unwrap().skew_degrees, (1 + 900 * at) as f32);
            });
            stream.write_all(&[ANSWER, 7, 8]).unwrap();
            stream.write_all(&EXITED).unwrap();
        })
    });
    assert_eq!(answer.unwrap(), [&[7, 8][..], &EXITED].concat());
    assert_eq!(*memory.0.lock().unwrap(), 0);
}

#[test]
fn a_reader_that_ends_in_the_middle_of_a_picture_says_how_it_ended() {
    let memory = PictureMemory::default();
    let pictures = Backwards::default();
    let killed = [1, 9, 0, 0, 0];
    for sent in [0, 1, 5, 1 + Header::BYTES, 1 + Header::BYTES + 100] {
        let mut bytes = vec![PICTURE];
        bytes.extend(Header::of(&picture(10)).to_bytes());
        bytes.extend([9; 100]);
        bytes.truncate(sent);
        let answer = hold(&request(), Some(&pictures), &memory, |mut stream| {
            stream.write_all(&bytes).unwrap();
            stream.write_all(&killed).unwrap();
        });
        assert_eq!(answer.unwrap(), killed, "{sent}");
    }
    assert_eq!(*memory.0.lock().unwrap(), 0, "the room of what was begun is free again");
}

#[test]
fn pictures_that_nobody_asked_for_or_too_many_of_them_end_the_document() {
    let pictures = Backwards::default();
    let many = |mut stream: UnixStream| {
        for _ in 0..=AHEAD {
            let _ = stream.write_all(&[PICTURE]);
            let _ = stream.write_all(&Header::of(&picture(10)).to_bytes());
            let _ = stream.write_all(&picture(10).pixels);
        }
        let _ = stream.read(&mut [0]);
    };
    for asked in [Some(&pictures as &dyn Pictures), None] {
        let error = hold(&request(), asked, &PictureMemory::default(), many).unwrap_err();
        assert_eq!(error.kind, Kind::ExtractionFailed);
    }
}

#[test]
fn a_picture_waits_until_there_is_room_for_it() {
    let (pictures, memory) = (Backwards::default(), PictureMemory::default());
    let taken = memory.take(MAX_PICTURE_BYTES).unwrap();
    let request = request();
    let answer = std::thread::scope(|scope| {
        let (sent, wait) = std::sync::mpsc::channel();
        scope.spawn(move || {
            wait.recv().unwrap();
            drop(taken);
        });
        scope.spawn(|| {
            for (picture, _, done) in pictures.wait_for(1) {
                assert!(picture.pixels.iter().all(|pixel| *pixel == 200));
                done(Ok(Recognized::default()), TIME);
            }
        });
        hold(&request, Some(&pictures), &memory, move |mut stream| {
            stream.write_all(&[PICTURE]).unwrap();
            stream.write_all(&Header::of(&picture(200)).to_bytes()).unwrap();
            stream.write_all(&picture(200).pixels).unwrap();
            sent.send(()).unwrap();
            stream.read_exact(&mut [0; 4]).unwrap();
            stream.write_all(&[ANSWER]).unwrap();
            stream.write_all(&EXITED).unwrap();
        })
    });
    assert_eq!(answer.unwrap(), EXITED);
}

#[test]
fn a_cancelled_request_ends_the_conversation() {
    let request = request();
    request.cancel();
    let error = hold(&request, None, &PictureMemory::default(), |mut stream| drop(stream.read(&mut [0])));
    assert_eq!(error.unwrap_err().kind, Kind::Cancelled);
}

/// Recognises at once, and counts the time of each picture as the workers do.
struct Counted<'a>(&'a Request);

impl Pictures for Counted<'_> {
    fn begin(&self, _: Picture, _: PictureRoom, done: Done) {
        self.0.add_recognition_time(TIME);
        done(Ok(Recognized::default()), TIME);
    }
}

#[test]
fn pictures_that_take_longer_than_they_may_end_the_document() {
    let read = |recognition_seconds: u32| {
        let request = request();
        let limits = ExtractLimits { recognition_seconds, ..LIMITS };
        let mut read = 0;
        let result =
            hold_within(limits, &request, Some(&Counted(&request)), &PictureMemory::default(), |mut stream| {
                for _ in 0..3 {
                    let mut remote = Remote::new(&mut stream);
                    if remote.begin(picture(10)).and_then(|()| remote.finish()).is_err() {
                        return;
                    }
                    read += 1;
                }
                let _ = stream.write_all(&[ANSWER]);
                let _ = stream.write_all(&EXITED);
            });
        (read, result)
    };
    for enough in [0, 3] {
        assert_eq!(read(enough), (3, Ok(EXITED.to_vec())), "{enough}");
    }
    let (read, result) = read(1);
    let error = result.unwrap_err();
    // The second picture is one too many.
    assert!(read < 2, "{read}");
    assert_eq!(error.kind, Kind::ExtractionFailed);
    assert!(error.hint.unwrap().contains("socle.ocr_timeout"));
}
